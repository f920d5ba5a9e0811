/**
 * A room is saturated if more entries wait at the end of this many successive batches: it receives posts faster than it can write
 * one batch for each. Two posts shortly after each other don't make it saturated.
 */
const SATURATED = 4

/**
 * Pause after each batch of a saturated room that takes several ticks, as a multiple of the time that the batch took. At 1, a
 * room uses at most half of the event loop. During the pause, other work is done and more entries join the next batch, so that
 * a delivery costs less.
 */
const PAUSE_FACTOR = 1

/** Finds out whether a room is saturated, and lets it pause between its batches then. */
export class Saturation {
  /** Successive batches at whose end more entries waited. */
  #waited = 0
  /** `performance.now()` when the batch began; 0 for a batch of one tick. */
  #batchStartedAt = 0
  /** `performance.now()` at the end of the pause; 0 for none. */
  #pausedUntil = 0

  /** Whether the room pauses. */
  get isPaused (): boolean { return this.#pausedUntil > 0 }

  /** Ends the pause, and returns how many ms of it are left; 0 or less for none. */
  endPause (): number {
    const left = this.#pausedUntil === 0 ? 0 : this.#pausedUntil - performance.now()
    this.#pausedUntil = 0
    return left
  }

  /** Called when a batch begins. @param takesTicks whether it takes several ticks */
  beginBatch (takesTicks: boolean): void { this.#batchStartedAt = takesTicks ? performance.now() : 0 }

  /** Called when a batch was written. @param moreWaits whether entries wait for the next one */
  endBatch (moreWaits: boolean): void {
    this.#waited = moreWaits ? this.#waited + 1 : 0
    if (this.#waited < SATURATED || this.#batchStartedAt === 0) return
    const now = performance.now()
    this.#pausedUntil = now + (now - this.#batchStartedAt) * PAUSE_FACTOR
  }
}
