import type { Presence, PresentMember } from '../../roster.ts'
import type { Member } from '../../store.ts'

export const [ada, bob, eve] = ['ada', 'bob', 'eve'].map((name) => ({ id: `id of ${name}`, name })) as [Member, Member, Member]

export const names = ({ members }: Presence) => members.map(({ name }) => name).toSorted()

/** Data of members: JSON texts of at most 1 KiB, with characters that a stored form may use for something else. */
export const memberData: readonly string[] = [
  '1', '"a"', '{"role":"admin"}', '{ "role": "a b", "picture": "https://example.org/a%20b%25?c:d" }', '":1:2 %"', '"grüße\\n😀"', '[\n\t1,\r\n2]', 'null',
  JSON.stringify('x'.repeat(1_022)), JSON.stringify(' '.repeat(1_022)), JSON.stringify('%'.repeat(1_022))
]

/** Returns members by id. */
export function withoutOrder (members: readonly PresentMember[]): PresentMember[] {
  return members.toSorted((a, b) => a.id < b.id ? -1 : 1)
}
