/** A stream that holds what is written to it. */
export interface Corked { uncork (): void }

let turn = 0
let time = 0
let scheduled = false
let flushes: Array<() => void> = []
let corked: Corked[] = []

/** A number for each turn of the event loop in which someone asks. */
export function currentTick (): number {
  schedule()
  return turn
}

/** ms; when someone asked first in this turn: near enough for all that happens in it. */
export function tickTime (): number {
  schedule()
  return time
}

/**
 * Runs it when all that can be read in this turn has been. A microtask would come once for every socket that was read
 * from.
 */
export function atEndOfTick (flush: () => void): void {
  flushes.push(flush)
  schedule()
}

/** Lets it go after all that runs at the end of this turn: what is answered leaves in one write with what is flushed. */
export function uncorkAtEndOfTick (stream: Corked): void {
  corked.push(stream)
  schedule()
}

function schedule (): void {
  if (scheduled) return
  scheduled = true
  time = performance.now()
  setImmediate(end)
}

function end (): void {
  const flushing = flushes
  flushes = []
  let begun = 0
  try {
    for (const flush of flushing) {
      begun++
      flush()
    }
  } finally {
    // One that throws keeps none of the others from theirs.
    flushes.unshift(...flushing.slice(begun))
    const uncorking = corked
    corked = []
    for (const stream of uncorking) stream.uncork()
    turn++
    scheduled = false
    if (flushes.length + corked.length > 0) schedule()
  }
}
