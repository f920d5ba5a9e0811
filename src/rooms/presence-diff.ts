import type { Presence } from '../roster.ts'
import type { Member } from '../store.ts'

/** What is shown at once and kept nowhere. */
export type Signal =
  | { readonly presence: { readonly joined: Member[], readonly left: Member[], readonly count: number, readonly stale?: true } }
  | { readonly typing: Member }

/** Who came, went or changed its name, and whether that can be vouched for; undefined when nothing changed. */
export function difference (before: Presence, now: Presence): Signal | undefined {
  const names = new Map(before.members.map(({ id, name }) => [id, name]))
  const joined = now.members.filter(({ id, name }) => names.get(id) !== name)
  for (const { id } of now.members) names.delete(id)
  const left = before.members.filter(({ id }) => names.has(id))
  const changed = joined.length > 0 || left.length > 0 || now.count !== before.count || now.stale !== before.stale
  return changed ? { presence: { joined, left, count: now.count, ...now.stale && { stale: true } } } : undefined
}
