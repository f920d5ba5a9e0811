/** Characters above which a name isn't compared with the known ones. */
const MAX_LENGTH = 64

/**
 * Returns the text after an unknown name in an error: "does not exist; did you mean 'limits'?", or all known names if none is
 * near.
 * @param path prefix of the known names, such as `limits.`
 */
export function unknownName (name: string, known: readonly string[], path = ''): string {
  const most = Math.max(1, Math.floor(name.length / 3))
  const [nearest] = known
    .map((other) => ({ other, edits: name.length > MAX_LENGTH ? Infinity : editsBetween(name.toLowerCase(), other.toLowerCase()) }))
    .filter(({ edits }) => edits <= most)
    .sort((a, b) => a.edits - b.edits)
  return nearest === undefined ? `does not exist: use ${known.join(', ')}` : `does not exist; did you mean '${path}${nearest.other}'?`
}

/** Returns the number of characters to insert, remove, replace or swap with the next one (optimal string alignment). */
function editsBetween (from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= from.length; i++) {
    const row = rows[i] = [i]
    const above = rows[i - 1]!
    for (let j = 1; j <= to.length; j++) {
      row[j] = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1))
      const isSwapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]
      if (isSwapped) row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1)
    }
  }
  return rows[from.length]![to.length]!
}

/** Returns an unknown property of an object with the text after its name; undefined for none. */
export function unknownProperty (value: object, known: readonly string[], path = ''): { readonly name: string, readonly problem: string } | undefined {
  const name = Object.keys(value).find((property) => !known.includes(property))
  return name === undefined ? undefined : { name, problem: unknownName(name, known, path) }
}
