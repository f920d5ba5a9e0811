import { randomBytes } from 'node:crypto'
import { errors } from 'fastify-chat'
import type { Amended, Amendment, ChangeCursor, Changed, Control, Controlled, Cursor, Draft, Entry, Head, Position, Revision } from 'fastify-chat'
import { KeptEntry } from './kept-entry.ts'
import { RoomChanges, changeCursor } from './room-changes.ts'
import { RoomEntries, type EntryBounds } from './room-entries.ts'
import { RoomKeys } from './room-keys.ts'
import { textOf, type ChangeLine, type EntryLine, type Line } from './room-line.ts'

/** Bounds of a room. */
export interface LogBounds extends EntryBounds {
  /** ms that a key is remembered, up to ten times as many keys as entries; as long as its entry in any case */
  readonly dedupWindow: number
}

/** The entries, changes and keys of one room in memory. The lines that `append`, `amend` and `control` return repeat them. */
export class RoomLog {
  readonly #bounds: LogBounds
  #epoch: string
  #entries: RoomEntries
  #keys = new RoomKeys()
  #changes = new RoomChanges()

  /** @param epoch 1 to 32 letters and digits, for a room without a file */
  constructor (epoch: string, bounds: LogBounds) {
    this.#epoch = epoch
    this.#bounds = bounds
    this.#entries = new RoomEntries(bounds)
  }

  /** Bytes of a snapshot, roughly. */
  get bytes (): number { return this.#entries.bytes + this.#keys.bytes + this.#changes.bytes }

  get head (): Head { return { ...this.#cursor(this.last), change: this.#changeCursor(this.#changes.newest) } }

  /** Offset of the oldest kept entry. */
  get first (): number { return this.#entries.first }
  get last (): number { return this.#entries.last }

  /** Repeats a line of the room's file. */
  repeat (text: string): void {
    const { epoch, base = 0, forgotten = 0, removed = 0, changes, key, entry, change, control, idle } = JSON.parse(text) as Line
    if (epoch !== undefined) {
      this.#epoch = epoch
      this.#keys.forgotten = forgotten
      this.#entries = new RoomEntries(this.#bounds, base, removed)
      if (changes !== undefined) this.#changes.load(changes)
    }
    if (key !== undefined) this.#keys.remember(key)
    if (entry !== undefined) this.#add(entry)
    if (change !== undefined) this.#change(change)
    if (control !== undefined) this.#control(control.at)
    if (idle !== undefined) this.#changes.addIdle(idle.key, idle.hash)
  }

  /** Returns the lines of a new file, oldest first. */
  snapshot (): string {
    const lines: Line[] = [
      { epoch: this.#epoch, base: this.first - 1, forgotten: this.#keys.forgotten, removed: this.#entries.removed, changes: this.#changes.line },
      ...this.#keys.all.map((key) => ({ key })),
      ...this.#entries.all.map(({ line }) => ({ entry: line }))
    ]
    return lines.map(textOf).join('')
  }

  /**
   * Returns the new entry and its line, or the cursor of the first entry of a known key.
   * @throws ReusedKey, StalePost, InvalidArgument; StoreBusy if there is no space for a new entry
   */
  append ({ key, hash, since, from, body, data, streaming }: Draft, hasSpace: boolean): { known: Cursor } | { entry: Entry, line: string } {
    if (typeof body !== 'string' && !(body instanceof Uint8Array)) throw new errors.InvalidArgument('draft.body', 'must be a string or a Uint8Array')
    if (streaming === true && typeof body !== 'string') throw new errors.InvalidArgument('draft.body', 'must be text if it is streaming')
    const known = key === undefined ? undefined : this.#keys.find(key)
    if (known !== undefined) {
      if (known.hash !== hash) throw new errors.ReusedKey()
      return { known: this.#cursor(known.offset) }
    }
    if (since !== undefined && !(this.#offsetOf(since) >= this.#keys.forgotten)) throw new errors.StalePost()
    if (!hasSpace) throw new errors.StoreBusy()
    const at = Math.max(Date.now(), this.#entries.newest?.at ?? 0)
    const offset = this.last + 1
    const entry: EntryLine = {
      offset,
      at,
      from: from && { id: from.id, name: from.name },
      ...typeof body === 'string' ? { body } : { bytes: Buffer.from(body).toString('base64') },
      ...data !== undefined && { data },
      ...streaming !== undefined && { streaming }
    }
    const line: Line = { entry, ...key !== undefined && { key: { key, hash, offset, at } } }
    if (line.key !== undefined) this.#keys.remember(line.key)
    const added = this.#add(entry)
    added.begin()
    return { entry: added.read(), line: textOf(line) }
  }

  /**
   * Changes an entry. Returns the record of the change, and the line that must be written.
   * @throws InvalidArgument, ReusedKey, StalePost, NotKept, Forbidden, EntryDeleted, StreamEnded, InvalidChange, TooManyReactions; StoreBusy if there is no space
   */
  amend (room: string, position: Position, amendment: Amendment, hasSpace: boolean): { amended: Amended, changed?: Changed, line?: string } {
    const { key, hash, since, by, change } = amendment
    if ('edit' in change && typeof change.edit.body !== 'string') throw new errors.InvalidArgument('amendment.change.edit.body', 'must be a string')
    const known = this.#changes.findRepeat(key, hash, since !== undefined && this.numberOf(since) === undefined)
    if (known !== undefined) return { amended: { ...this.#changeCursor(known), again: true } }
    const entry = this.#entries.at(this.indexOf(position) ?? NaN)
    if (entry === undefined) throw new errors.NotKept()
    const hasEffect = entry.check(room, amendment)
    if ('append' in change) entry.renew(change.at)
    if (!hasEffect && (key === undefined || this.#changes.hasIdleSpace(10 * this.#bounds.historyEntries))) {
      const amended = { ...this.#changeCursor(entry.number ?? this.#changes.newest), again: true }
      if (key === undefined) return { amended }
      this.#changes.addIdle(key, hash)
      return { amended, line: textOf({ idle: { key, hash } }) }
    }
    if (!('delete' in change) && !hasSpace) throw new errors.StoreBusy()
    if ('react' in change && change.on && !this.#entries.hasReactionSpace) throw new errors.TooManyReactions()
    const line: ChangeLine = { number: this.#changes.newest + 1, offset: entry.offset, at: this.#changes.nextAt, by, change, key, hash }
    this.#change(line)
    const cursor = this.#changeCursor(line.number)
    return { amended: { ...cursor, again: false }, changed: entry.record(cursor, line), line: textOf({ change: line }) }
  }

  /** Numbers a control. Returns its record, and the line that must be written. The line lacks the control: only followers receive it. */
  control (control: Control): { controlled: Controlled, line: string } {
    const at = this.#changes.nextAt
    this.#control(at)
    return { controlled: { change: this.#changeCursor(this.#changes.newest), control }, line: textOf({ control: { at } }) }
  }

  find (key: string): Cursor | undefined {
    const known = this.#keys.find(key)
    return known && this.#cursor(known.offset)
  }

  findChange (key: string): ChangeCursor | undefined {
    const number = this.#changes.find(key)
    return number === undefined ? undefined : this.#changeCursor(number)
  }

  get (position: Position, member?: string): Entry | undefined { return this.#entries.at(this.indexOf(position) ?? NaN)?.read(member) }

  /** Returns a kept entry. */
  entryAt (offset: number, member: string | undefined): Entry { return this.#entries.at(offset)!.read(member) }

  /** Returns the offset of a kept entry; that before the first one for the beginning of a log that keeps its first entry. */
  indexOf (position: Position): number | undefined {
    const offset = this.#offsetOf(position)
    return offset >= this.first || (offset === 0 && this.first === 1) ? offset : undefined
  }

  /** Returns the number of a revision after which all changes are remembered. */
  numberOf (revision: Revision): number | undefined {
    const number = Number(revision.slice(revision.lastIndexOf('-c') + 2))
    return this.#changes.isHonoured(number) && revision === this.#changeCursor(number).revision ? number : undefined
  }

  /** Returns the offset of the kept entry whose last change has this number. */
  changedAt (number: number): number | undefined {
    const entry = this.#entries.at(this.#changes.offsetOf(number) ?? NaN)
    return entry?.number === number ? entry.offset : undefined
  }

  /** Returns whether an entry that changed after this number is no longer kept. */
  hasRemovedSince (number: number): boolean { return this.#entries.removed > number }

  /** Begins another epoch. */
  clear (): void {
    this.#epoch = randomBytes(12).toString('hex')
    this.#entries = new RoomEntries(this.#bounds)
    this.#keys = new RoomKeys()
    this.#changes = new RoomChanges()
  }

  #cursor (offset: number): Cursor { return { offset, position: `${this.#epoch}-${offset}` } }

  #changeCursor (number: number): ChangeCursor { return changeCursor(this.#epoch, number) }

  /** Returns the offset of a position of this epoch; NaN for any other string. */
  #offsetOf (position: Position): number {
    const offset = Number(position.slice(position.lastIndexOf('-') + 1))
    return offset <= this.last && offset >= 0 && position === this.#cursor(offset).position ? offset : NaN
  }

  #add (line: EntryLine): KeptEntry {
    const { number, offset, at } = line
    const entry = new KeptEntry(line, this.#cursor(offset).position, number === undefined ? undefined : this.#changeCursor(number).revision)
    this.#entries.push(entry)
    this.#keys.forget(this.first, at - this.#bounds.dedupWindow, 10 * this.#bounds.historyEntries)
    return entry
  }

  #change (line: ChangeLine): void {
    const { number, offset, at, key, hash } = line
    const entry = this.#entries.at(offset)
    this.#changes.add({ offset, at, key, hash })
    if (entry === undefined) return
    this.#entries.change(entry, () => entry.apply(line, this.#changeCursor(number).revision))
    this.#forgetChanges(at)
  }

  /** A control has a place among the changes, and no entry. */
  #control (at: number): void {
    this.#changes.add({ offset: 0, at })
    this.#forgetChanges(at)
  }

  #forgetChanges (now: number): void {
    const { dedupWindow, historyEntries } = this.#bounds
    this.#changes.forget(this.first, now - dedupWindow, 10 * historyEntries)
  }
}
