import { ReusedKey, StalePost } from '../../errors.ts'
import { chargeOfRow } from './charge.ts'
import { encodeChange, encodeControl, keysOfChange, timeOfChange, withKey, type ChangeRow, type EditKey } from './change-row.ts'
import { changeCursorAt, emptyChangesHead, firstChange, newestChange, rememberedNumber, type ChangesHead, type RoomHead } from './head.ts'
import { LmdbKeys } from './keys.ts'
import { changeOf, reactionBytesOf, type EntryRecord } from './record.ts'
import type { ChangeCursor, Revision } from '../../change.ts'
import type { LmdbDatabase, Writes } from './database.ts'

/** Bytes charged for the state of a room's changes in its head, with page slack. */
const HEAD = 320

/** Maximum keys that are remembered with one change, because they had no effect after it. A row with all of them fits a page. */
const MAX_KEYS = 16

/** The remembered changes of one room, as they are after the next commit. Only this class writes `changes` of the room's head. */
export class LmdbChanges {
  readonly #room: string
  readonly #database: LmdbDatabase
  readonly #keys = new LmdbKeys()
  /** Rows that the next commit writes, by index; undefined for a row that it removes. Created with the first of them. */
  #writes: Map<number, ChangeRow | undefined> | undefined
  /** Digests of the keys that the next commit adds. Created with the first of them. */
  #newKeys: Set<string> | undefined
  #head: RoomHead

  constructor (room: string, database: LmdbDatabase, head: RoomHead) {
    this.#room = room
    this.#database = database
    this.#head = head
  }

  /** Bytes charged on disk. */
  get charge (): number { return this.#head.changes === undefined ? 0 : HEAD + this.#head.changes.size }
  get keyCount (): number { return this.#keys.size }
  get hasWrites (): boolean { return this.#writes !== undefined }
  /** Number of remembered changes, without the oldest, which is always kept. */
  get size (): number {
    const { changes } = this.#head
    return changes === undefined ? 0 : changes.last - firstChange(changes)
  }

  /** Whether rows of earlier epochs have to be removed. */
  get hasEarlierEpoch (): boolean {
    const { changes } = this.#head
    return changes !== undefined && changes.removed < changes.base - 1
  }

  get reactionBytes (): number { return this.#head.changes?.reactionBytes ?? 0 }

  /** Returns the cursor of an edit by the digest of its key if the edit is on disk. */
  find (digest: string): ChangeCursor | undefined {
    const index = this.#indexOfKey(digest)
    return index === undefined || this.#newKeys?.has(digest) === true ? undefined : this.#cursorAt(index)
  }

  /**
   * Returns the cursor of the change if this is a repeat; undefined for a new change.
   * @param since the client's revision when it first sent the edit @throws ReusedKey, StalePost
   */
  findRepeat (key: EditKey | undefined, since: Revision | undefined): ChangeCursor | undefined {
    const known = key === undefined ? undefined : this.#indexOfKey(key.digest)
    if (known !== undefined) {
      const { digest, hash } = key!
      if (!keysOfChange(this.#rowAt(known)).some((first) => first.digest === digest && first.hash === hash)) throw new ReusedKey()
      return this.#cursorAt(known)
    }
    if (since !== undefined && rememberedNumber(this.#head, since, (index) => this.#rowAt(index)) === undefined) throw new StalePost()
    return undefined
  }

  /** Adds a change. Returns its cursor and its time. @param entry index of the changed entry @param now ms since 1970 */
  add (entry: number, now: number, key: EditKey | undefined): { cursor: ChangeCursor, at: number } {
    const added = this.#add(now, (at) => encodeChange(at, entry, key))
    if (key !== undefined) this.#addKey(key)
    return added
  }

  /** Adds a control. Returns its cursor. @param control JSON text @param now ms since 1970 */
  addControl (control: string, now: number): ChangeCursor { return this.#add(now, (at) => encodeControl(at, control)).cursor }

  /** Remembers the key of an edit without effect. Returns false if as many are remembered since the newest change as can be. */
  remember (key: EditKey): boolean {
    const { last, at } = this.#changes
    const row = this.#storedRow(last)
    if (row !== undefined && keysOfChange(row).length >= MAX_KEYS) return false
    this.#write(last, row, withKey(row ?? encodeChange(at, 0, undefined), key))
    this.#addKey(key)
    return true
  }

  /** Adjusts the bytes of the reactions of kept entries. */
  addReactionBytes (bytes: number): void { if (bytes !== 0) this.#changes.reactionBytes += bytes }

  /** Called when an entry is trimmed. */
  trimmed (record: EntryRecord): void {
    const number = changeOf(record)
    if (number === 0) return
    const changes = this.#changes
    changes.trimmed = Math.max(changes.trimmed, number)
    changes.reactionBytes -= reactionBytesOf(record)
  }

  /** Returns the row of the change that is the oldest one after `removeOldest`. */
  nextOldest (): ChangeRow { return this.#rowAt(firstChange(this.#changes) + 1) }

  /** Removes the oldest row, with its keys. Doesn't read rows of earlier epochs, so that removing a room is fast. */
  removeOldest (): void {
    const changes = this.#changes
    const index = changes.removed + 1
    if (index < changes.base) {
      const share = Math.ceil(changes.earlierSize / (changes.base - index))
      changes.earlierSize -= share
      changes.size -= share
      this.#stage(index, undefined)
    } else {
      const row = this.#storedRow(index)
      if (row !== undefined) {
        for (const { digest } of keysOfChange(row)) this.#keys.delete(digest)
        this.#write(index, row, undefined)
      }
    }
    changes.removed = index
  }

  /** Called when a new epoch began. The rows of the previous one are removed step by step. */
  restart (head: RoomHead): void {
    this.#head = head
    this.#keys.clear()
  }

  /** Removes the last row. Called before the head of a room is removed. */
  forget (): void {
    const { changes } = this.#head
    if (changes !== undefined) this.#stage(changes.last, undefined)
  }

  /** Adds the rows to the next commit. */
  write (writes: Writes): void {
    if (this.#writes !== undefined) for (const [index, row] of this.#writes) writes.change(this.#room, index, row)
  }

  /** Called when the commit is on disk. */
  settle (): void {
    this.#writes = undefined
    this.#newKeys = undefined
  }

  get #changes (): ChangesHead { return (this.#head.changes ??= emptyChangesHead(this.#head)) }

  #add (now: number, encode: (at: number) => ChangeRow): { cursor: ChangeCursor, at: number } {
    const changes = this.#changes
    const at = changes.at = Math.max(changes.at, now)
    this.#write(++changes.last, undefined, encode(at))
    return { cursor: newestChange(this.#head), at }
  }

  /** Returns the row of a change; undefined for the beginning of an epoch without keys. */
  #storedRow (index: number): ChangeRow | undefined {
    return this.#writes?.has(index) === true ? this.#writes.get(index) : this.#database.change(this.#room, index)
  }

  #rowAt (index: number): ChangeRow { return this.#writes?.get(index) ?? this.#database.changeAt(this.#room, index) }

  #indexOfKey (digest: string): number | undefined {
    const { changes } = this.#head
    this.#keys.load(() => changes === undefined ? [] : this.#storedKeys(changes))
    return this.#keys.find(digest)
  }

  #cursorAt (index: number): ChangeCursor {
    return changeCursorAt(this.#head, index - this.#changes.base, timeOfChange(this.#rowAt(index)))
  }

  * #storedKeys (changes: ChangesHead): Generator<readonly [digest: string, index: number]> {
    for (let index = firstChange(changes); index <= changes.last; index++) {
      const row = this.#storedRow(index)
      if (row !== undefined) for (const { digest } of keysOfChange(row)) yield [digest, index]
    }
  }

  #addKey ({ digest }: EditKey): void {
    this.#keys.add(digest, this.#changes.last)
    this.#newKeys ??= new Set()
    this.#newKeys.add(digest)
  }

  /** Replaces a row and updates the charge. */
  #write (index: number, before: ChangeRow | undefined, after: ChangeRow | undefined): void {
    if (before !== undefined) this.#changes.size -= chargeOfRow(this.#room, before)
    if (after !== undefined) this.#changes.size += chargeOfRow(this.#room, after)
    this.#stage(index, after)
  }

  #stage (index: number, row: ChangeRow | undefined): void {
    this.#writes ??= new Map()
    this.#writes.set(index, row)
  }
}
