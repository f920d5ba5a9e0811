/** Resolves in the next turn of the event loop, when the sockets that are readable now have been read. */
export function turn (): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
