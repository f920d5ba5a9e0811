import { StoreBusy, StoreUnavailable } from '../../../errors.ts'

interface Waiting { readonly cost: number, readonly start: () => void, readonly reject: (error: unknown) => void }

/** Bytes of memory of a read beside its entries: promises, closures and arguments. */
const READ = 1_500

/** Bytes of memory of an entry beside its content: its position, its time and its sender, as text and as objects. */
const ENTRY = 500

/** Bytes of memory for each byte of content: in the reply, where JSON escapes some characters, and parsed. */
const COPIES = 8

/** Reads under way, within a bound in bytes of memory: more wait, in the order of the calls. */
export class RedisReads {
  readonly #most: number
  readonly #mostBytes: number
  readonly #waiting = new Set<Waiting>()
  #bytes = 0

  /** @param most reads that may wait @param mostBytes of memory, of all that are under way */
  constructor (most: number, mostBytes: number) {
    this.#most = most
    // Infinity less Infinity is no number.
    this.#mostBytes = Math.min(mostBytes, Number.MAX_SAFE_INTEGER)
  }

  /**
   * Calls a read when there is memory for its page; one that takes more than all may is called alone. Rejects BUSY when
   * too many wait, and UNAVAILABLE when a read before it got no answer.
   * @param entries of the page, at most @param bytes of their content, at most
   */
  run<T> (entries: number, bytes: number, read: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.size >= this.#most) throw new StoreBusy()
      const cost = Math.min(READ + ENTRY * entries + COPIES * bytes, this.#mostBytes)
      const start = () => {
        this.#bytes += cost
        read().finally(() => { this.#bytes -= cost }).then(resolve, (error: unknown) => {
          reject(error)
          if (isUnanswered(error)) this.#giveUp()
        }).finally(() => this.#startNext())
      }
      this.#waiting.add({ cost, start, reject })
      this.#startNext()
    })
  }

  #startNext (): void {
    for (const waiting of this.#waiting) {
      if (this.#bytes + waiting.cost > this.#mostBytes) return
      this.#waiting.delete(waiting)
      waiting.start()
    }
  }

  /** Redis doesn't answer: each would wait for its time in turn. */
  #giveUp (): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const { reject } of waiting) reject(new StoreUnavailable())
  }
}

/** Returns whether a read got no answer in time, or Redis was away for so long that none is asked for. */
function isUnanswered (error: unknown): boolean { return error instanceof StoreUnavailable && error.cause === undefined }
