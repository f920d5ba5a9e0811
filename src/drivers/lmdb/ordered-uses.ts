/** Yields the items of two orders of use in one order, the least recently used first. */
export function * mergedUses<A extends { used: number }, B extends { used: number }> (one: Generator<A>, other: Generator<B>): Generator<A | B> {
  try {
    let [a, b] = [one.next(), other.next()]
    while (a.done !== true || b.done !== true) {
      if (b.done === true || (a.done !== true && a.value.used <= b.value.used)) {
        yield a.value
        a = one.next()
      } else {
        yield b.value
        b = other.next()
      }
    }
  } finally {
    one.return(undefined)
    other.return(undefined)
  }
}
