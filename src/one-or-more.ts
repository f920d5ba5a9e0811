/** One value, or an array of several. Most owners have one. */
export type OneOrMore<T extends object> = T | readonly T[]

export function listOf<T extends object> (values: OneOrMore<T> | undefined): readonly T[] {
  if (values === undefined) return []
  return isList(values) ? values : [values]
}

export function withValue<T extends object> (values: OneOrMore<T> | undefined, added: T): OneOrMore<T> {
  return values === undefined ? added : [...listOf(values), added]
}

/** Returns undefined if none is left. */
export function withoutValue<T extends object> (values: OneOrMore<T> | undefined, removed: T): OneOrMore<T> | undefined {
  const left = listOf(values).filter((value) => value !== removed)
  return left.length > 1 ? left : left[0]
}

function isList<T extends object> (values: OneOrMore<T>): values is readonly T[] { return Array.isArray(values) }
