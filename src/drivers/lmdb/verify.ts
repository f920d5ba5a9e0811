import { closeSync } from 'node:fs'
import { setImmediate as immediate } from 'node:timers/promises'
import { StoreDamaged, StoreUnusable } from '../../errors.ts'
import { openDataFile } from './data-file.ts'
import { LmdbDatabase } from './database.ts'
import { identityOfFile } from './directory.ts'
import { LmdbEnvironment } from './environment.ts'
import { decodeChange } from './change-row.ts'
import { firstChange, type RoomHead } from './head.ts'
import { decodeMember, useOf } from './member-row.ts'
import { walkPages } from './page-walk.ts'
import { decodeContent } from './record.ts'

/** The extent of the data that was read. */
export interface Extent {
  /** bytes of the pages in use */
  readonly bytes: number
  readonly rooms: number
  readonly entries: number
}

/** Rooms listed by one read, and members read between two yields. */
const [ROOMS_PER_READ, MEMBERS_PER_SLICE] = [100, 100]

/**
 * Reads all pages, and then all entries, changes and read positions, of the store in a directory. Resolves with their extent if the store is intact.
 * Rejects with the first damage. No other process may have the store open. Yields to the event loop regularly.
 * @param onProgress called every few milliseconds with the extent so far
 * @throws StoreInUse, StoreDamaged, StoreFormat, StoreUnusable
 */
export async function verifyStore (path: string, onProgress: (soFar: Extent) => void): Promise<Extent> {
  // Checked first, because opening a directory creates a store.
  if (identityOfFile(path) === undefined) throw new StoreUnusable(path, 'there is no store')
  const environment = await LmdbEnvironment.open(path)
  try {
    const total = { bytes: 0, rooms: 0, entries: 0 }
    for (const bytes of readPages(environment.path)) {
      total.bytes = bytes
      onProgress({ ...total })
      await immediate()
    }
    const database = new LmdbDatabase(environment)
    for (const { room, head } of allRooms(database)) {
      for (let index = head.first; index <= head.last; index++) readEntry(environment.path, database, room, index)
      readChanges(environment.path, database, room, head)
      total.rooms++
      total.entries += head.last - head.first + 1
      onProgress({ ...total })
      await immediate()
    }
    let members = 0
    for (const { memberId, used } of database.leastUsedMembers()) {
      readMember(environment.path, database, memberId, used)
      if (++members % MEMBERS_PER_SLICE !== 0) continue
      onProgress({ ...total })
      await immediate()
    }
    return total
  } finally {
    await environment.close()
  }
}

/** Yields the number of bytes read so far. @throws StoreDamaged */
function * readPages (path: string): Generator<number> {
  const file = openDataFile(path)
  if (file === undefined) throw new StoreDamaged(path, 'its data file was removed')
  try {
    const damage = yield * walkPages(file)
    if (damage !== undefined) throw new StoreDamaged(path, damage)
  } finally {
    closeSync(file.descriptor)
  }
}

function * allRooms (database: LmdbDatabase): Generator<{ room: string, head: RoomHead }> {
  let rooms = database.rooms(undefined, ROOMS_PER_READ)
  while (rooms.length > 0) {
    yield * rooms
    rooms = database.rooms(rooms.at(-1), ROOMS_PER_READ)
  }
}

function readEntry (path: string, database: LmdbDatabase, room: string, index: number): void {
  const record = database.entry(room, index)
  try {
    decodeContent(record)
  } catch (cause) {
    throw new StoreDamaged(path, `entry ${index} of the room '${room}' can't be decoded`, { cause })
  }
}

function readChanges (path: string, database: LmdbDatabase, room: string, { changes }: RoomHead): void {
  if (changes === undefined) return
  for (let index = firstChange(changes); index <= changes.last; index++) {
    // The beginning of the changes may have no row.
    const row = index === changes.base ? database.change(room, index) : database.changeAt(room, index)
    try {
      if (row !== undefined) decodeChange(row)
    } catch (cause) {
      throw new StoreDamaged(path, `change ${index} of the room '${room}' can't be decoded`, { cause })
    }
  }
}

function readMember (path: string, database: LmdbDatabase, memberId: string, used: number): void {
  const row = database.member(memberId)
  if (row === undefined) throw new StoreDamaged(path, `the read positions of the member '${memberId}' are missing`)
  try {
    decodeMember(row)
    if (useOf(row) !== used) throw new TypeError('it has another last use than the order of use')
  } catch (cause) {
    throw new StoreDamaged(path, `the read positions of the member '${memberId}' can't be decoded`, { cause })
  }
}
