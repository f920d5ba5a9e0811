import type { Membership } from './membership.ts'

/** Returns the memberships that receive changes, by the id of their member: see `Membership.reader`. */
export function byReader (memberships: Iterable<Membership>): Map<string, Membership[]> {
  const readers = new Map<string, Membership[]>()
  for (const membership of memberships) {
    const { reader } = membership
    if (reader === undefined) continue
    const others = readers.get(reader)
    if (others === undefined) readers.set(reader, [membership])
    else others.push(membership)
  }
  return readers
}
