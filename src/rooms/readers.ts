import type { Membership } from './membership/membership.ts'
import type { Position } from '../store.ts'

/** Returns the memberships that receive changes, by the id of their member: see `Membership.reader`. */
export function byReader (memberships: Iterable<Membership>): Map<string, Membership[]> {
  const groups = grouped(memberships, ({ reader }) => reader)
  groups.delete(undefined)
  return groups as Map<string, Membership[]>
}

/** Returns memberships by their read positions. */
export function byReadPosition (memberships: Iterable<Membership>): Map<Position | undefined, Membership[]> {
  return grouped(memberships, ({ readPosition }) => readPosition)
}

function grouped<Key> (memberships: Iterable<Membership>, keyOf: (membership: Membership) => Key): Map<Key, Membership[]> {
  const groups = new Map<Key, Membership[]>()
  for (const membership of memberships) {
    const key = keyOf(membership)
    const others = groups.get(key)
    if (others === undefined) groups.set(key, [membership])
    else others.push(membership)
  }
  return groups
}
