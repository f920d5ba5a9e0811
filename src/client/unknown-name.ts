/** Share of pairs of letters above which two names are similar. */
const SIMILAR = 0.4

/**
 * Returns the error text for the first unknown name, with the most similar known name: "option 'tokne' does not exist; did you mean
 * 'token'?". Returns undefined if all names are known. Compares pairs of letters: the code of the edit distance, which the server uses, is larger in a bundle.
 * @param kind what the names are
 */
export function unknownName (kind: string, names: readonly string[], known: readonly string[]): string | undefined {
  const name = names.find((name) => !known.includes(name))
  if (name === undefined) return undefined
  const own = pairs(name)
  let hint = `: use ${known.join(', ')}`
  let highest = SIMILAR
  for (const other of known) {
    const share = 2 * pairs(other).filter((pair) => own.includes(pair)).length / (name.length + other.length)
    if (share <= highest) continue
    highest = share
    hint = `; did you mean '${other}'?`
  }
  return `${kind} '${name}' does not exist${hint}`
}

/** Returns each letter with the next one. */
function pairs (name: string): string[] {
  return [...name.toLowerCase()].map((letter, index, letters) => letter + letters[index + 1])
}
