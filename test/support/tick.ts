/** Resolves in the next tick, when the sockets that are readable now have been read. */
export function tick (): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
