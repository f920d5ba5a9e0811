import { setImmediate } from 'node:timers/promises'
import { errors } from 'fastify-chat'
import type { RoomFile } from './room-file.ts'

/** The bytes of all files. Nothing is added while they are at `max` or above. */
export interface Disk { bytes: number, readonly max: number }

/** State that can be restored from the lines of a file. */
export interface Kept {
  /** Approximate bytes of a snapshot. */
  readonly bytes: number
  /** Applies a line of the file. */
  repeat (line: string): void
  /** Returns the lines of a new file, oldest first. */
  snapshot (): string
}

/** `onLoad`: called with state that was read from the file. `onFail`: after a failed write. `onSettle`: after the reactions of a batch. */
export interface KeptFileEvents<State> { onLoad? (state: State): void, onFail? (): void, onSettle? (): void }

interface Call<State> { apply (state: State): unknown, resolve (result: unknown): void, reject (error: unknown): void }

/** A file is replaced when it has this many bytes more than two snapshots. */
const SLACK = 256 * 1024

/** State and its file. Calls are applied in order, in batches: the calls of a batch resolve when the file has their changes. */
export class KeptFile<State extends Kept> {
  readonly #file: RoomFile
  readonly #disk: Disk
  readonly #newState: () => State
  readonly #events: KeptFileEvents<State>
  #calls: Array<Call<State>> = []
  #work: Promise<void> | undefined
  /** `undefined` until it is read from the file, and after a failed write. */
  #state: State | undefined
  #fileBytes: number | undefined
  /** Lines that aren't written yet. */
  #lines = ''
  /** The file lacks a change other than `#lines`. */
  #unsaved = false
  /** The next write replaces the file. */
  #replace = false

  constructor (file: RoomFile, disk: Disk, newState: () => State, events: KeptFileEvents<State> = {}) {
    this.#file = file
    this.#disk = disk
    this.#newState = newState
    this.#events = events
  }

  get isIdle (): boolean { return this.#work === undefined }
  get hasSpace (): boolean { return this.#disk.bytes < this.#disk.max }

  /** Applies a call, which may use `add` and `rewrite`. Resolves with its result when the file has its changes. */
  call<T> (apply: (state: State) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#calls.push({ apply, resolve: resolve as (result: unknown) => void, reject })
      this.#work ??= this.#run()
    })
  }

  /** Adds lines that restore the changes of a call. */
  add (lines: string): void { this.#lines += lines }

  /** Replaces the file by a snapshot. */
  rewrite (): void { this.#replace = this.#unsaved = true }

  /** Resolves when all calls have settled. */
  async close (): Promise<void> { await this.#work }

  async #run (): Promise<void> {
    while (this.#calls.length > 0) {
      const state = await this.#load()
      const calls = this.#calls
      this.#calls = []
      if (state instanceof Error) {
        for (const { reject } of calls) reject(state)
        continue
      }
      const settlements = calls.map((call) => settlement(call, state))
      const error = await this.#save(state)
      for (const [i, settle] of settlements.entries()) {
        if (error === undefined) settle()
        else calls[i]!.reject(error)
      }
      // Delivery begins after the reactions of the promises.
      await setImmediate()
      this.#events.onSettle?.()
    }
    this.#work = undefined
  }

  async #load (): Promise<State | Error> {
    if (this.#state !== undefined) return this.#state
    try {
      const text = await this.#file.read() ?? ''
      const state = this.#newState()
      const lines = text.split('\n')
      // A line without an end was being written when the process ended: its call was never acknowledged.
      const rest = lines.pop()
      for (const line of lines) state.repeat(line)
      if (lines.length === 0 || rest !== '') this.#replace = true
      this.#setBytes(Buffer.byteLength(text))
      this.#events.onLoad?.(state)
      this.#state = state
      return state
    } catch (cause) {
      return new errors.StoreUnavailable({ cause })
    }
  }

  /** Resolves with the error of the batch if its changes may be lost. */
  async #save (state: State): Promise<Error | undefined> {
    const lines = this.#lines
    if (lines === '' && !this.#unsaved) return undefined
    this.#lines = ''
    try {
      if (this.#replace || this.#fileBytes! > 2 * state.bytes + SLACK) {
        const text = state.snapshot()
        await this.#file.replace(text)
        this.#setBytes(Buffer.byteLength(text))
      } else {
        await this.#file.append(lines)
        this.#setBytes(this.#fileBytes! + Buffer.byteLength(lines))
      }
      this.#replace = this.#unsaved = false
      return undefined
    } catch (cause) {
      // The file may have all, some or none of the lines. It is read again, and replaced before the next call resolves.
      this.#state = undefined
      this.#events.onFail?.()
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
function settlement<State> ({ apply, resolve, reject }: Call<State>, state: State): () => void {
  try {
    const result = apply(state)
    return () => resolve(result)
  } catch (error) {
    return () => reject(error)
  }
}
