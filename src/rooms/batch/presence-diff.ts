import type { Presence, PresentMember } from '../../roster.ts'

/** A change of presence. joined: members that were added, or whose name or data has changed. left: members that were removed. */
export interface PresenceDiff {
  readonly joined: PresentMember[]
  readonly left: PresentMember[]
  readonly count: number
  readonly stale?: true
}

/** Returns the difference between two states; undefined if they are equal. */
export function difference (before: Presence, now: Presence): PresenceDiff | undefined {
  const gone = new Map(before.members.map((member) => [member.id, member]))
  const joined = now.members.filter(({ id, name, data }) => {
    const known = gone.get(id)
    return known === undefined || known.name !== name || known.data !== data
  })
  for (const { id } of now.members) gone.delete(id)
  const left = before.members.filter(({ id }) => gone.has(id))
  const changed = joined.length > 0 || left.length > 0 || now.count !== before.count || now.stale !== before.stale
  return changed ? { joined, left, count: now.count, ...now.stale && { stale: true } } : undefined
}

/** Returns the change that adds all members that are listed. */
export function wholeList ({ members, count, stale }: Presence): PresenceDiff {
  return { joined: [...members], left: [], count, ...stale && { stale: true } }
}
