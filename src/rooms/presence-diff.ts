import type { Presence } from '../roster.ts'
import type { Member } from '../store.ts'

/** A change of presence. joined: members that were added or renamed. left: members that were removed. */
export interface PresenceDiff {
  readonly joined: Member[]
  readonly left: Member[]
  readonly count: number
  readonly stale?: true
}

/** Returns the difference between two states; undefined if they are equal. */
export function difference (before: Presence, now: Presence): PresenceDiff | undefined {
  const names = new Map(before.members.map(({ id, name }) => [id, name]))
  const joined = now.members.filter(({ id, name }) => names.get(id) !== name)
  for (const { id } of now.members) names.delete(id)
  const left = before.members.filter(({ id }) => names.has(id))
  const changed = joined.length > 0 || left.length > 0 || now.count !== before.count || now.stale !== before.stale
  return changed ? { joined, left, count: now.count, ...now.stale && { stale: true } } : undefined
}

/** Returns the change that adds all members that are listed. */
export function wholeList ({ members, count, stale }: Presence): PresenceDiff {
  return { joined: [...members], left: [], count, ...stale && { stale: true } }
}
