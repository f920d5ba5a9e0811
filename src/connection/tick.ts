/** A stream that buffers writes until it is uncorked. */
export interface Corked { uncork (): void }

let tick = 0
let time: number | undefined
let scheduled = false
let flushes: Array<() => void> = []
let corked: Corked[] = []

/** Returns the number of the current tick. */
export function currentTick (): number {
  schedule()
  return tick
}

/** Returns the monotonic time in ms. It is read at the first call in each tick, so all calls in one tick return the same time. */
export function tickTime (): number {
  schedule()
  time ??= performance.now()
  return time
}

/**
 * Calls `flush` when all readable sockets have been read in this tick. A microtask would run after each socket.
 */
export function atEndOfTick (flush: () => void): void {
  flushes.push(flush)
  schedule()
}

/** Uncorks the stream after the functions of `atEndOfTick`, so that replies and flushed batches are sent in one write. */
export function uncorkAtEndOfTick (stream: Corked): void {
  corked.push(stream)
  schedule()
}

function schedule (): void {
  if (scheduled) return
  scheduled = true
  time = undefined
  setImmediate(endTick)
}

function endTick (): void {
  const flushing = flushes
  flushes = []
  let begun = 0
  try {
    for (const flush of flushing) {
      begun++
      flush()
    }
  } finally {
    // If one throws, the remaining ones run in the next tick.
    if (begun < flushing.length) flushes.unshift(...flushing.slice(begun))
    const uncorking = corked
    corked = []
    for (const stream of uncorking) stream.uncork()
    tick++
    scheduled = false
    if (flushes.length + corked.length > 0) schedule()
  }
}
