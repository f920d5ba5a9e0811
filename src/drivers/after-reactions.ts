/** Cheaper than `queueMicrotask`, which creates an AsyncResource. */
const settled = Promise.resolve()

/**
 * Runs a function after all pending promise reactions. A `nextTick` callback queued in a microtask runs after the microtask
 * queue is empty.
 */
export function afterReactions (run: () => void): void {
  void settled.then(() => process.nextTick(run))
}
