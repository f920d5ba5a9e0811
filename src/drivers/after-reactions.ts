/** Cheaper than `queueMicrotask`, which creates an AsyncResource. */
const settled = Promise.resolve()

/**
 * Returns a function that schedules a call of `run` after all pending promise reactions. A `nextTick` callback queued in a microtask
 * runs after the microtask queue is empty.
 */
export function afterReactions (run: () => void): () => void {
  const queue = () => process.nextTick(run)
  return () => { void settled.then(queue) }
}
