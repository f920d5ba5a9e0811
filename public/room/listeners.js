/** Creates a set of listeners. `add` returns a function that removes the listener. */
export function listeners () {
  const all = new Set()
  return {
    add (listener) {
      all.add(listener)
      return () => all.delete(listener)
    },
    call (...values) { for (const listener of [...all]) listener(...values) }
  }
}
