/** A stream that buffers writes until it is uncorked. */
export interface Corked { uncork (): void }

const NOTHING: readonly never[] = []

let tick = 0
let time: number | undefined
let scheduled = false
let flushes: Array<() => void> | undefined
let corked: Corked[] | undefined

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
  // A literal, because an empty array grows to 17 places.
  if (flushes === undefined) flushes = [flush]
  else flushes.push(flush)
  schedule()
}

/** Uncorks the stream after the functions of `atEndOfTick`, so that replies and flushed batches are sent in one write. */
export function uncorkAtEndOfTick (stream: Corked): void {
  if (corked === undefined) corked = [stream]
  else corked.push(stream)
  schedule()
}

function schedule (): void {
  if (scheduled) return
  scheduled = true
  time = undefined
  setImmediate(endTick)
}

function endTick (): void {
  const flushing = flushes ?? NOTHING
  flushes = undefined
  let begun = 0
  try {
    for (const flush of flushing) {
      begun++
      flush()
    }
  } finally {
    // If one throws, the remaining ones run in the next tick.
    if (begun < flushing.length) flushes = [...flushing.slice(begun), ...flushes ?? []]
    const uncorking = corked ?? NOTHING
    corked = undefined
    for (const stream of uncorking) stream.uncork()
    tick++
    scheduled = false
    if (flushes !== undefined || corked !== undefined) schedule()
  }
}
