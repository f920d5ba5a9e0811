import { StoreBusy } from '../../../errors.ts'

/** Bounds the calls that wait for a reply, and their memory. */
export class InFlight {
  readonly #maxCalls: number
  readonly #maxBytes: number
  #calls = 0
  #bytes = 0

  constructor (maxCalls: number, maxBytes: number) {
    this.#maxCalls = maxCalls
    this.#maxBytes = maxBytes
  }

  /** Counts a call. @throws StoreBusy */
  add (bytes: number): void {
    if (this.#calls >= this.#maxCalls || this.#bytes + bytes > this.#maxBytes) throw new StoreBusy()
    this.#calls++
    this.#bytes += bytes
  }

  remove (bytes: number): void {
    this.#calls--
    this.#bytes -= bytes
  }
}
