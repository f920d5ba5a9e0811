import type { Presence } from '../../roster.ts'
import type { Member } from '../../store.ts'

export const [ada, bob, eve] = ['ada', 'bob', 'eve'].map((name) => ({ id: `id of ${name}`, name })) as [Member, Member, Member]

export const names = ({ members }: Presence) => members.map(({ name }) => name).toSorted()
