import type { ReadCursor } from '../../drivers/read-position.ts'
import { NotKept } from '../../errors.ts'
import type { Position, Store } from '../../store.ts'

/** Maximum number of cached positions of a room. Members of a large room mark its newest messages. */
const POSITIONS = 8

/** Maximum number of rooms with cached positions. */
const ROOMS = 1_000

/**
 * Looks up the entries that members mark as read. Caches the last lookups, so that many members that mark one message cost one call
 * of the store. A cached entry may have been trimmed since. A read position at this entry then isn't honoured, as if the member had marked
 * the entry before the trim.
 */
export class KeptEntries {
  readonly #store: Pick<Store, 'get'>
  /** Rooms and positions are in the order of their last lookup, the oldest first. */
  readonly #byRoom = new Map<string, Map<Position, Promise<ReadCursor>>>()

  constructor (store: Pick<Store, 'get'>) {
    this.#store = store
  }

  /** Resolves with the cursor of an entry. Rejects as the store does. @throws NotKept */
  find (room: string, position: Position): Promise<ReadCursor> {
    const positions = this.#byRoom.get(room) ?? new Map<Position, Promise<ReadCursor>>()
    const cursor = positions.get(position) ?? this.#lookUp(room, position, positions)
    touch(positions, position, cursor, POSITIONS)
    touch(this.#byRoom, room, positions, ROOMS)
    return cursor
  }

  /** Called when earlier positions of a room may no longer be valid. */
  clear (room: string): void { this.#byRoom.delete(room) }

  #lookUp (room: string, position: Position, positions: Map<Position, Promise<ReadCursor>>): Promise<ReadCursor> {
    const cursor = this.#get(room, position)
    cursor.catch(() => { if (positions.get(position) === cursor) positions.delete(position) })
    return cursor
  }

  async #get (room: string, position: Position): Promise<ReadCursor> {
    const entry = await this.#store.get(room, position)
    if (entry === undefined) throw new NotKept()
    return { offset: entry.offset, position: entry.position, at: entry.at }
  }
}

/** Makes an item the last one. Removes the first one beyond the maximum size. */
function touch<Value> (items: Map<string, Value>, key: string, value: Value, size: number): void {
  items.delete(key)
  items.set(key, value)
  if (items.size <= size) return
  const [first] = items.keys()
  items.delete(first!)
}
