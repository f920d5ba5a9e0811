import { StoreBusy, StoreUnavailable } from '../../../errors.ts'

interface Waiting { readonly cost: number, readonly start: () => void, readonly reject: (error: unknown) => void }

/** Bytes of memory of a read without its entries: promises, closures and arguments. */
const READ_BYTES = 1_500

/** Bytes of memory of an entry without its content: position, time and sender, as text and as objects. */
const ENTRY_BYTES = 500

/** Bytes of memory per byte of content: in the reply, where JSON escapes some characters, and parsed. */
const COPIES = 8

/** Limits the memory of concurrent reads. Further reads wait, in the order of the calls. */
export class ReadQueue {
  readonly #maxWaiting: number
  readonly #maxBytes: number
  readonly #waiting = new Set<Waiting>()
  #bytes = 0

  /** @param maxWaiting reads that wait @param maxBytes of memory of the concurrent reads */
  constructor (maxWaiting: number, maxBytes: number) {
    this.#maxWaiting = maxWaiting
    // Infinity - Infinity would be NaN.
    this.#maxBytes = Math.min(maxBytes, Number.MAX_SAFE_INTEGER)
  }

  /**
   * Calls `read` when there is memory for its page. A page larger than the bound is read alone. Rejects with StoreBusy when
   * too many reads wait, and with StoreUnavailable when an earlier read got no reply.
   * @param entries maximum number of entries of the page @param bytes maximum bytes of their content
   */
  run<T> (entries: number, bytes: number, read: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.size >= this.#maxWaiting) throw new StoreBusy()
      const cost = Math.min(READ_BYTES + ENTRY_BYTES * entries + COPIES * bytes, this.#maxBytes)
      const start = () => {
        this.#bytes += cost
        read().finally(() => { this.#bytes -= cost }).then(resolve, (error: unknown) => {
          reject(error)
          if (hasNoReply(error)) this.#rejectWaiting()
        }).finally(() => this.#startNext())
      }
      this.#waiting.add({ cost, start, reject })
      this.#startNext()
    })
  }

  #startNext (): void {
    for (const waiting of this.#waiting) {
      if (this.#bytes + waiting.cost > this.#maxBytes) return
      this.#waiting.delete(waiting)
      waiting.start()
    }
  }

  /** Rejects the waiting reads. Redis doesn't reply, and they would run into the timeout one after another. */
  #rejectWaiting (): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const { reject } of waiting) reject(new StoreUnavailable())
  }
}

/** Returns whether a read got no reply in time, or wasn't sent because Redis has been down for too long. */
function hasNoReply (error: unknown): boolean { return error instanceof StoreUnavailable && error.cause === undefined }
