import type { Cluster, Redis } from 'ioredis'
import { assertFormat } from '../../stored-format.ts'

/**
 * The number of the format of keys, values and messages. A version that can't work beside the one before has the next.
 * The index of rooms writes it with its own first entry, in one script.
 */
export const FORMAT = 1

interface FormatEvents {
  /** Called when the data was found to have this format. */
  verified (): void
  /** Called when it has another one. */
  refused (error: Error): void
  /** Called when Redis answered with an error, such as that of a missing permission. */
  failed (error: Error): void
}

/** Compares the format of the data in Redis with that of this version, each time that Redis can be reached. */
export class FormatCheck {
  readonly #redis: Redis | Cluster
  readonly #prefix: string
  readonly #keys: readonly [index: string, number: string]
  readonly #events: FormatEvents
  #refusal: Error | undefined
  #isVerified = false
  #isRunning = false
  #settle = () => {}
  /** Resolves when the first check has ended, whatever it found. */
  readonly settled = new Promise<void>((resolve) => { this.#settle = resolve })

  /** @param keys of the index of rooms, without which Redis holds no data of a chat, and of the number; both in one slot */
  constructor (redis: Redis | Cluster, prefix: string, keys: readonly [index: string, number: string], events: FormatEvents) {
    this.#redis = redis
    this.#prefix = prefix
    this.#keys = keys
    this.#events = events
  }

  /** Whether the data had this format when it was last read. */
  get isVerified (): boolean { return this.#isVerified }

  /** The error if the data has another format. */
  get refusal (): Error | undefined { return this.#refusal }

  /** Reads the number. Does nothing while it is being read. */
  run (): void {
    if (this.#isRunning) return
    this.#isRunning = true
    const [index, number] = this.#keys
    // In this order: the number is written together with the index.
    Promise.all([this.#redis.call('EXISTS', index), this.#redis.call('GET', number)]).then(([exists, number]) => {
      this.#isRunning = false
      this.#compare(number === null ? exists === 1 ? 0 : FORMAT : String(number))
    }, (error: Error) => {
      this.#isRunning = false
      this.#events.failed(error)
    }).finally(this.#settle)
  }

  #compare (found: number | string): void {
    try {
      assertFormat(`Redis under the prefix '${this.#prefix}'`, found, FORMAT)
      this.#isVerified = true
      this.#refusal = undefined
    } catch (refusal) {
      this.#isVerified = false
      this.#refusal = refusal as Error
    }
    if (this.#refusal === undefined) this.#events.verified()
    else this.#events.refused(this.#refusal)
  }
}
