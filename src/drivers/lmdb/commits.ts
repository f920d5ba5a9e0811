import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises'
import { StoreBusy, StoreClosed, StoreUnavailable, StoreUnknown } from '../../errors.ts'

/** Bounds of what is on its way to the disk. */
export interface CommitLimits {
  /** writes */
  readonly inFlight: number
  /** bytes */
  readonly inFlightBytes: number
  /** ms */
  readonly commitTimeout: number
}

/** stage: does it to what the next commit takes. staged: what that gave. done, failed: tell the caller. */
interface Write {
  readonly bytes: number
  readonly stage: () => unknown
  staged: unknown
  readonly done: (value: unknown) => void
  readonly failed: (error: unknown) => void
}

/** How what was staged becomes durable. */
export interface Target {
  /** Resolves once everything staged is on disk; undefined when nothing is to be written. Rejects when nothing was. */
  commit (): Promise<void> | undefined
  /** Told before those who wrote are. @param committed undefined when that is not known */
  settled (committed: boolean | undefined): void
  /** Whether there is work that nobody waits for. */
  hasRest (): boolean
}

/** Writes of one group at most: a turn of the event loop is spent on them. */
const GROUP = 1_000

/** ms that writes are refused at once after one failed, instead of each trying the disk. */
const PAUSE = 500

/** Groups writes: one commit is under way, what comes meanwhile gathers for the next. */
export class LmdbCommits {
  readonly #target: Target
  readonly #limits: CommitLimits
  #waiting: Write[] = []
  #count = 0
  #bytes = 0
  #failure: unknown
  /** ms of `performance.now()`; until then writes are refused with the failure */
  #retryAt = 0
  #running: Promise<void> | undefined
  #closed = false

  constructor (target: Target, limits: CommitLimits) {
    this.#target = target
    this.#limits = limits
  }

  /**
   * Resolves with what `stage` gives once that is durable; rejects with what it throws.
   * @param stage called in the order of the calls; when it throws it must have done nothing
   */
  add<T> (bytes: number, stage: () => T): Promise<T> {
    if (this.#closed) return Promise.reject(new StoreClosed())
    if (performance.now() < this.#retryAt) return Promise.reject(this.#failure)
    if (this.#count >= this.#limits.inFlight || this.#bytes + bytes > this.#limits.inFlightBytes) return Promise.reject(new StoreBusy())
    this.#count++
    this.#bytes += bytes
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ bytes, stage, staged: undefined, done: resolve as (value: unknown) => void, failed: reject })
      this.start()
    })
  }

  /** Commits what there is, unless that is being done, or failed a moment ago. */
  start (): void {
    if (performance.now() >= this.#retryAt) this.#running ??= this.#run()
  }

  /** Resolves when all that was added is settled: true, or in time was not: false. */
  async close (): Promise<boolean> {
    this.#closed = true
    const limit = new AbortController()
    await Promise.race([this.#running, delay(this.#limits.commitTimeout, undefined, { signal: limit.signal })])
    limit.abort()
    for (const write of this.#waiting.splice(0)) this.#fail(write, new StoreClosed())
    return this.#running === undefined
  }

  async #run (): Promise<void> {
    // What else is posted in this turn comes with it.
    await turn()
    while (this.#waiting.length > 0 || (!this.#closed && this.#target.hasRest())) {
      const writes = this.#waiting.splice(0, GROUP)
      const staged = writes.filter((write) => this.#stage(write))
      // What nobody waits for is tried again with the next write: a disk that is full would be tried without end.
      if (!await this.#committed(staged)) break
      this.#target.settled(true)
      for (const write of staged) {
        this.#release(write)
        write.done(write.staged)
      }
      if (this.#waiting.length === 0) await turn()
    }
    this.#running = undefined
  }

  #stage (write: Write): boolean {
    try {
      write.staged = write.stage()
      return true
    } catch (error) {
      this.#fail(write, error)
      return false
    }
  }

  async #committed (staged: readonly Write[]): Promise<boolean> {
    const deadline = setTimeout(() => {
      this.#refuse(new StoreUnavailable({ cause: new Error('the disk does not answer') }), Infinity)
      // Told once: what they are told later is not heard.
      for (const write of staged) write.failed(new StoreUnknown())
    }, this.#limits.commitTimeout)
    try {
      await this.#target.commit()
      this.#retryAt = 0
      return true
    } catch (error) {
      this.#target.settled(error instanceof StoreUnknown ? undefined : false)
      for (const write of staged) this.#fail(write, error)
      this.#refuse(error instanceof StoreUnknown ? new StoreUnavailable({ cause: error.cause }) : error, performance.now() + PAUSE)
      return false
    } finally {
      clearTimeout(deadline)
    }
  }

  /** Nothing of what waits was stored, nor will be what comes until then. */
  #refuse (failure: unknown, until: number): void {
    this.#failure = failure
    this.#retryAt = until
    for (const write of this.#waiting.splice(0)) this.#fail(write, failure)
  }

  #fail (write: Write, error: unknown): void {
    this.#release(write)
    write.failed(error)
  }

  #release ({ bytes }: Write): void {
    this.#count--
    this.#bytes -= bytes
  }
}
