/**
 * Runs a function after all pending promise reactions. A `nextTick` callback queued in a microtask runs after the microtask
 * queue is empty.
 */
export function afterReactions (run: () => void): void {
  queueMicrotask(() => process.nextTick(run))
}
