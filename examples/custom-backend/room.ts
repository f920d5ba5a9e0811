import { setImmediate } from 'node:timers/promises'
import { errors } from 'fastify-chat'
import type { Amended, Amendment, Appended, ChangeCursor, Control, Cursor, Draft, Entry, Feed, FeedPage, Page, Position, Query } from 'fastify-chat'
import type { RoomFile } from './room-file.ts'
import { RoomFollowers } from './room-followers.ts'
import type { RoomLog } from './room-log.ts'
import { readPage } from './room-page.ts'

/** The bytes of all files. Appends are rejected while they are at `max` or above. */
export interface Disk { bytes: number, readonly max: number }

interface Call { apply (log: RoomLog): unknown, resolve (result: unknown): void, reject (error: unknown): void }

/** A file is replaced when it has this many bytes more than twice what the room keeps. */
const SLACK = 256 * 1024

/** One room. Its calls are applied in order, in batches: the calls of a batch resolve when the file has their changes. */
export class Room {
  readonly #file: RoomFile
  readonly #disk: Disk
  readonly #newLog: () => RoomLog
  readonly #followers = new RoomFollowers()
  #calls: Call[] = []
  #work: Promise<void> | undefined
  /** `undefined` until it is read from the file, and after a failed write. */
  #log: RoomLog | undefined
  #fileBytes: number | undefined
  /** Lines that aren't written yet. */
  #lines = ''
  /** The file lacks a change other than `#lines`. */
  #unsaved = false
  /** The next write replaces the file. */
  #replace = false

  constructor (file: RoomFile, disk: Disk, newLog: () => RoomLog) {
    this.#file = file
    this.#disk = disk
    this.#newLog = newLog
  }

  get isIdle (): boolean { return this.#work === undefined && this.#followers.size === 0 }

  append (draft: Draft): Promise<Appended> {
    return this.#call((log): Appended => {
      const result = log.append(draft, this.#disk.bytes < this.#disk.max)
      if ('known' in result) return { ...result.known, again: true }
      const { entry, line } = result
      this.#lines += line
      this.#followers.push({ entry, head: log.head })
      return { offset: entry.offset, position: entry.position, at: entry.at, again: false }
    })
  }

  find (key: string): Promise<Cursor | undefined> { return this.#call((log) => log.find(key)) }

  read (query: Query): Promise<Page> { return this.#call((log) => readPage(log, query)) }

  async follow (deliver: (page: FeedPage) => void): Promise<Feed> {
    let stop = () => {}
    try {
      const head = await this.#call((log) => {
        stop = this.#followers.add(deliver)
        return log.head
      })
      return { head, stop }
    } catch (error) {
      stop()
      throw error
    }
  }

  get (position: Position, member?: string): Promise<Entry | undefined> { return this.#call((log) => log.get(position, member)) }

  amend (name: string, position: Position, amendment: Amendment): Promise<Amended> {
    return this.#call((log) => {
      const { amended, changed, line = '' } = log.amend(name, position, amendment, this.#disk.bytes < this.#disk.max)
      this.#lines += line
      if (changed === undefined) return amended
      this.#followers.push({ changed, head: log.head })
      // The line of the entry still has what was deleted.
      if ('delete' in amendment.change) this.#replace = true
      return amended
    })
  }

  control (control: Control): Promise<ChangeCursor> {
    const copy = structuredClone(control)
    return this.#call((log) => {
      const { controlled, line } = log.control(copy)
      this.#lines += line
      this.#followers.push({ controlled, head: log.head })
      return controlled.change
    })
  }

  findChange (key: string): Promise<ChangeCursor | undefined> { return this.#call((log) => log.findChange(key)) }

  clear (): Promise<void> {
    return this.#call((log) => {
      log.clear()
      this.#replace = this.#unsaved = true
      this.#followers.push({ head: log.head })
    })
  }

  /** Resolves when all calls have settled and nothing more will be delivered. */
  async close (): Promise<void> {
    this.#followers.clear()
    await this.#work
  }

  #call<T> (apply: (log: RoomLog) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#calls.push({ apply, resolve: resolve as (result: unknown) => void, reject })
      this.#work ??= this.#run()
    })
  }

  async #run (): Promise<void> {
    while (this.#calls.length > 0) {
      const log = await this.#load()
      const calls = this.#calls
      this.#calls = []
      if (log instanceof Error) {
        for (const { reject } of calls) reject(log)
        continue
      }
      const settlements = calls.map((call) => settlement(call, log))
      const error = await this.#save(log)
      for (const [i, settle] of settlements.entries()) {
        if (error === undefined) settle()
        else calls[i]!.reject(error)
      }
      // Delivery begins after the reactions of the promises.
      await setImmediate()
      this.#followers.deliver()
    }
    this.#work = undefined
  }

  async #load (): Promise<RoomLog | Error> {
    if (this.#log !== undefined) return this.#log
    try {
      const text = await this.#file.read() ?? ''
      const log = this.#newLog()
      const lines = text.split('\n')
      // A line without an end was being written when the process ended: its post was never acknowledged.
      const rest = lines.pop()
      for (const line of lines) log.repeat(line)
      if (lines.length === 0 || rest !== '') this.#replace = true
      this.#setBytes(Buffer.byteLength(text))
      // Followers exist after a failed write only: entries that it left in the file were never delivered.
      if (this.#followers.size > 0) this.#followers.push({ head: log.head })
      this.#log = log
      return log
    } catch (cause) {
      return new errors.StoreUnavailable({ cause })
    }
  }

  /** Resolves with the error of the batch if its changes may be lost. */
  async #save (log: RoomLog): Promise<Error | undefined> {
    const lines = this.#lines
    if (lines === '' && !this.#unsaved) return undefined
    this.#lines = ''
    try {
      if (this.#replace || this.#fileBytes! > 2 * log.bytes + SLACK) {
        const text = log.snapshot()
        await this.#file.replace(text)
        this.#setBytes(Buffer.byteLength(text))
      } else {
        await this.#file.append(lines)
        this.#setBytes(this.#fileBytes! + Buffer.byteLength(lines))
      }
      this.#replace = this.#unsaved = false
      return undefined
    } catch (cause) {
      // The file may have all of it, a part or nothing. It is read again, and replaced before the next call resolves.
      this.#log = undefined
      this.#followers.discard()
      this.#replace = this.#unsaved = true
      return new errors.StoreUnknown({ cause })
    }
  }

  #setBytes (bytes: number): void {
    this.#disk.bytes += bytes - (this.#fileBytes ?? bytes)
    this.#fileBytes = bytes
  }
}

/** Applies a call. Returns the function that settles it. */
function settlement ({ apply, resolve, reject }: Call, log: RoomLog): () => void {
  try {
    const result = apply(log)
    return () => resolve(result)
  } catch (error) {
    return () => reject(error)
  }
}
