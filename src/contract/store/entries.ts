import type { Amendment, Control } from '../../change.ts'
import type { Appended, Cursor, Draft, Entry, Page, Position, ReadPosition, Store } from '../../store.ts'

/** The part of a query that selects everything. */
export const all = { limit: 1_000_000, maxBytes: 1_000_000_000 }

/** Deletes an entry on behalf of the app. */
export const deletion: Amendment = { by: null, change: { delete: true } }

/** Returns an edit on behalf of the app. */
export const edit = (body: string, more: Partial<Amendment> = {}, data?: string): Amendment =>
  ({ by: null, ...more, change: { edit: data === undefined ? { body } : { body, data } } })

/** Returns a member's reaction. @param on `false` removes it */
export const react = (reaction: string, by: string, on = true): Amendment => ({ by, change: { react: reaction, on } })

/** Returns an append to a streaming entry. @param at length of the text before it, in code points */
export const append = (text: string, at: number): Amendment => ({ by: null, change: { append: text, at } })

/** Returns the end of a streaming entry whose text is complete. */
export const end: Amendment = { by: null, change: { end: true } }

/** Returns the end of a streaming entry that was not renewed for so many ms. */
export const idleEnd = (idle: number): Amendment => ({ by: null, idle, change: { end: true, unfinished: true } })

/** Returns a control that ends the memberships of a member. */
export const removal = (member: string, reason = ''): Control => ({ remove: { member, reason } })

/** A control after which the rights of all members are no longer known. */
export const reauthorization: Control = { reauthorize: {} }

/** Returns a draft of the app with this content. */
export const says = (body: string | Uint8Array, more: Partial<Draft> = {}): Draft => ({ from: null, body, ...more })

export const bodies = ({ entries }: { entries: readonly Entry[] }) => entries.map(({ body }) => body)
export const numbers = ({ entries }: { entries: readonly Entry[] }) => entries.map(({ offset }) => offset)
export const cursor = ({ offset, position }: Cursor) => ({ offset, position })
export const summary = ({ entries, complete, more }: Page) => ({ complete, numbers: numbers({ entries }), more })

/** Returns the read position of a member that has read up to an entry. */
export const readUpTo = (room: string, { offset, position, at }: Pick<Entry, 'offset' | 'position' | 'at'>): ReadPosition => ({ room, offset, position, at })

/** Returns the number of the entries of a page after a position; of all if its entry isn't in the page. */
export const countAfter = ({ entries }: Page, position: Position) => entries.length - 1 - entries.findIndex((entry) => entry.position === position)

/** Returns the integers from `first` to `last`. */
export const upTo = (last: number, first = 1) => Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i)

/** Begins a streaming entry. Resolves with its position. */
export async function begin (store: Store, room: string, text = ''): Promise<Position> {
  return (await store.append(room, says(text, { streaming: true }))).position
}

/** Appends `count` entries one after another. Resolves with their positions. */
export async function fill (store: Store, room: string, count: number, body: string | Uint8Array = 'x'): Promise<Position[]> {
  const positions: Position[] = []
  for (let i = 0; i < count; i++) positions.push((await store.append(room, says(body))).position)
  return positions
}

/** Appends `count` entries one after another. Resolves with the read positions of a member that has read up to each. */
export async function readable (store: Store, room: string, count: number): Promise<ReadPosition[]> {
  const positions: ReadPosition[] = []
  for (let i = 0; i < count; i++) positions.push(readUpTo(room, await store.append(room, says('x')) as Appended & { again: false }))
  return positions
}

/** Appends entries until one is later than a time in ms since 1970. Resolves with the read position of a member that has read up to it. */
export async function readableAfter (store: Store, room: string, at: number): Promise<ReadPosition> {
  for (;;) {
    const [position] = await readable(store, room, 1)
    // The store's clock moves on by itself.
    if (position!.at > at) return position!
  }
}
