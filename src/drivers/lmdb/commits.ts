import { setImmediate as immediate, setTimeout as delay } from 'node:timers/promises'
import { StoreBusy, StoreClosed, StoreUnavailable, StoreUnknown } from '../../errors.ts'

/** Bounds of the writes that wait for the disk. */
export interface CommitLimits {
  /** maximum number of writes */
  readonly inFlight: number
  /** maximum bytes of the writes */
  readonly inFlightBytes: number
  /** ms after which a commit counts as failed with an unknown outcome */
  readonly commitTimeout: number
}

interface Write {
  readonly bytes: number
  /** adds the write to the next commit */
  readonly stage: () => unknown
  /** return value of `stage` */
  result: unknown
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

/** Makes staged writes durable. */
export interface Target {
  /**
   * Resolves once all staged writes are on disk; returns undefined if there are none. Rejects with UNKNOWN if the outcome is
   * unknown, with another error if nothing was written.
   */
  commit (): Promise<void> | undefined
  /** Called after a commit, before its writes settle. @param committed undefined if the outcome is unknown */
  settled (committed: boolean | undefined): void
  /** Returns whether there is background work to commit. */
  hasPendingWork (): boolean
}

/** Maximum number of writes in one commit, which are staged in one tick. */
const MAX_WRITES = 1_000

/** ms after a failed commit during which writes are rejected without another attempt. */
const RETRY_DELAY = 500

/** Groups writes into commits. One commit runs at a time; writes that arrive meanwhile wait for the next one. */
export class LmdbCommits {
  readonly #target: Target
  readonly #limits: CommitLimits
  #waiting: Write[] = []
  #count = 0
  #bytes = 0
  #failure: unknown
  /** as of `performance.now()`; until then writes are rejected with `#failure` */
  #retryAt = 0
  #running: Promise<void> | undefined
  #closed = false

  constructor (target: Target, limits: CommitLimits) {
    this.#target = target
    this.#limits = limits
  }

  /**
   * Resolves with the return value of `stage` once the write is durable. Rejects with the error that `stage` throws.
   * @param stage called in the order of the calls; must have no effect if it throws
   */
  add<T> (bytes: number, stage: () => T): Promise<T> {
    if (this.#closed) return Promise.reject(new StoreClosed())
    if (performance.now() < this.#retryAt) return Promise.reject(this.#failure)
    if (this.#count >= this.#limits.inFlight || this.#bytes + bytes > this.#limits.inFlightBytes) return Promise.reject(new StoreBusy())
    this.#count++
    this.#bytes += bytes
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ bytes, stage, result: undefined, resolve: resolve as (result: unknown) => void, reject })
      this.start()
    })
  }

  /** Commits all waiting writes, unless a commit is running, or failed less than `RETRY_DELAY` ms ago. */
  start (): void {
    if (performance.now() >= this.#retryAt) this.#running ??= this.#run()
  }

  /** Rejects later writes and settles all others. Resolves with false if a commit is still running after `commitTimeout`. */
  async close (): Promise<boolean> {
    this.#closed = true
    const limit = new AbortController()
    await Promise.race([this.#running, delay(this.#limits.commitTimeout, undefined, { signal: limit.signal })])
    limit.abort()
    for (const write of this.#waiting.splice(0)) this.#fail(write, new StoreClosed())
    return this.#running === undefined
  }

  async #run (): Promise<void> {
    // Writes added in the same tick go into the same commit.
    await immediate()
    while (this.#waiting.length > 0 || (!this.#closed && this.#target.hasPendingWork())) {
      const writes = this.#waiting.splice(0, MAX_WRITES)
      const staged = writes.filter((write) => this.#stage(write))
      // Background work is retried only with the next write, so that a full disk doesn't cause a loop of failed commits.
      if (!await this.#committed(staged)) break
      this.#target.settled(true)
      for (const write of staged) {
        this.#release(write)
        write.resolve(write.result)
      }
      if (this.#waiting.length === 0) await immediate()
    }
    this.#running = undefined
  }

  #stage (write: Write): boolean {
    try {
      write.result = write.stage()
      return true
    } catch (error) {
      this.#fail(write, error)
      return false
    }
  }

  async #committed (staged: readonly Write[]): Promise<boolean> {
    const deadline = setTimeout(() => {
      this.#rejectUntil(Infinity, new StoreUnavailable({ cause: new Error('the disk is not responding') }))
      // A later outcome has no effect, because a promise settles once.
      for (const write of staged) write.reject(new StoreUnknown())
    }, this.#limits.commitTimeout)
    try {
      await this.#target.commit()
      this.#retryAt = 0
      return true
    } catch (error) {
      this.#target.settled(error instanceof StoreUnknown ? undefined : false)
      for (const write of staged) this.#fail(write, error)
      const failure = error instanceof StoreUnknown ? new StoreUnavailable({ cause: error.cause }) : error
      this.#rejectUntil(performance.now() + RETRY_DELAY, failure)
      return false
    } finally {
      clearTimeout(deadline)
    }
  }

  /** Rejects all waiting writes, and new ones until the given time. */
  #rejectUntil (until: number, failure: unknown): void {
    this.#failure = failure
    this.#retryAt = until
    for (const write of this.#waiting.splice(0)) this.#fail(write, failure)
  }

  #fail (write: Write, error: unknown): void {
    this.#release(write)
    write.reject(error)
  }

  #release ({ bytes }: Write): void {
    this.#count--
    this.#bytes -= bytes
  }
}
