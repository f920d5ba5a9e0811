import { errors } from 'fastify-chat'
import type { ReadPosition } from 'fastify-chat'
import type { Kept } from './kept-file.ts'

/** Maximum rooms of a record, and ms between its last use and its removal, as the contract specifies them. */
const [MAX_ROOMS, TTL] = [1_000, 90 * 24 * 3_600_000]

/** A read writes its use if the last use in the file is this many ms older. */
const USE_INTERVAL = 24 * 3_600_000

/** A line of the file: a use of a member's record at `used`, in ms since 1970, and what it changed. */
interface MemberLine { readonly member: string, readonly used: number, readonly read?: readonly ReadPosition[], readonly forget?: string, readonly remove?: true }

/** `written`: the last use that the file has. */
interface MemberRecord { readonly rooms: Map<string, ReadPosition>, used: number, written: number, bytes: number }

/** The read positions of members, the least recently used member first. Each method returns the line that must be written. */
export class Members implements Kept {
  readonly #records = new Map<string, MemberRecord>()
  #bytes = 0

  get bytes (): number { return this.#bytes }

  repeat (text: string): void { this.#apply(JSON.parse(text) as MemberLine) }

  snapshot (): string {
    return [...this.#records].map(([member, { rooms, used }]) => textOf({ member, used, read: [...rooms.values()] })).join('')
  }

  /** Moves read positions forward. If there is no space, removes the least recently used records. @throws StoreBusy */
  mark (member: string, positions: readonly ReadPosition[], hasSpace: boolean): string {
    const kept = this.#records.get(member)
    const read = positions.filter((position) => movesForward(position, kept?.rooms.get(position.room)))
      .map(({ room, offset, position, at }) => ({ room, offset, position, at }))
    if (read.length === 0) return this.use(member)
    const line: MemberLine = { member, used: Date.now(), read }
    const text = textOf(line)
    const removals = hasSpace ? '' : this.#removeOthers(member, text.length)
    this.#apply(line)
    return removals + text
  }

  /** Removes a read position. Keeps one that is later than `upTo`. */
  forget (member: string, room: string, upTo?: Omit<ReadPosition, 'room'>): string {
    const kept = this.#records.get(member)?.rooms.get(room)
    if (kept === undefined || (upTo !== undefined && movesForward(kept, upTo))) return ''
    return this.#write({ member, used: Date.now(), forget: room })
  }

  /** Records a use of a member's record. */
  use (member: string): string {
    this.#removeExpired()
    const record = this.#records.get(member)
    if (record === undefined) return ''
    this.#records.delete(member)
    this.#records.set(member, record)
    record.used = Date.now()
    if (record.used - record.written < USE_INTERVAL) return ''
    record.written = record.used
    return textOf({ member, used: record.used })
  }

  /** Returns the read positions of a member, in the order of the room names. */
  read (member: string): ReadPosition[] {
    return [...this.#records.get(member)?.rooms.values() ?? []].toSorted((a, b) => a.room < b.room ? -1 : 1)
  }

  #write (line: MemberLine): string {
    this.#apply(line)
    return textOf(line)
  }

  /** Applies a line, which makes the record the most recently used one. */
  #apply ({ member, used, read = [], forget, remove }: MemberLine): void {
    const found = this.#records.get(member)
    this.#remove(member)
    if (remove === true) return
    const rooms = found !== undefined && found.used > used - TTL ? found.rooms : new Map<string, ReadPosition>()
    for (const position of read) rooms.set(position.room, position)
    if (forget !== undefined) rooms.delete(forget)
    const lowest = [...rooms.values()].toSorted((a, b) => a.at - b.at).slice(0, Math.max(0, rooms.size - MAX_ROOMS))
    for (const { room } of lowest) rooms.delete(room)
    if (rooms.size === 0) return
    const bytes = [...rooms.values()].reduce((sum, { room, position }) => sum + 2 * room.length + position.length + 64, member.length + 64)
    this.#records.set(member, { rooms, used, written: used, bytes })
    this.#bytes += bytes
  }

  #remove (member: string): void {
    this.#bytes -= this.#records.get(member)?.bytes ?? 0
    this.#records.delete(member)
  }

  /** Removes records of other members until `bytes` are freed. Returns the lines of the removals. @throws StoreBusy */
  #removeOthers (member: string, bytes: number): string {
    const target = this.#bytes - bytes
    if (target < (this.#records.get(member)?.bytes ?? 0)) throw new errors.StoreBusy()
    let lines = ''
    for (const [other, { used }] of this.#records) {
      if (this.#bytes <= target) break
      if (other !== member) lines += this.#write({ member: other, used, remove: true })
    }
    return lines
  }

  /** Returns no line, because the file has the time of the last use. */
  #removeExpired (): void {
    for (const [member, { used }] of this.#records) {
      if (used > Date.now() - TTL) return
      this.#remove(member)
    }
  }
}

function textOf (line: MemberLine): string { return `${JSON.stringify(line)}\n` }

/** Returns whether a read position replaces the kept one. */
function movesForward (next: Omit<ReadPosition, 'room'>, kept: Omit<ReadPosition, 'room'> | undefined): boolean {
  if (kept === undefined || next.at !== kept.at) return kept === undefined || next.at > kept.at
  return next.offset > kept.offset || epochOf(next) !== epochOf(kept)
}

function epochOf ({ position }: Pick<ReadPosition, 'position'>): string { return position.slice(0, position.lastIndexOf('-')) }
