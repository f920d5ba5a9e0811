import type { Presence } from '../roster.ts'
import type { Member } from '../store.ts'

/** An event that is delivered now and stored nowhere. */
export type Signal =
  | { readonly presence: { readonly joined: Member[], readonly left: Member[], readonly count: number, readonly stale?: true } }
  | { readonly typing: Member }

/** Returns the signal for a change of presence; undefined for none. A member with a new name is in `joined`. */
export function difference (before: Presence, now: Presence): Signal | undefined {
  const names = new Map(before.members.map(({ id, name }) => [id, name]))
  const joined = now.members.filter(({ id, name }) => names.get(id) !== name)
  for (const { id } of now.members) names.delete(id)
  const left = before.members.filter(({ id }) => names.has(id))
  const changed = joined.length > 0 || left.length > 0 || now.count !== before.count || now.stale !== before.stale
  return changed ? { presence: { joined, left, count: now.count, ...now.stale && { stale: true } } } : undefined
}
