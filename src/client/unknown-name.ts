/**
 * Returns the error text for the first unknown name: "option 'tokne' does not exist: use name, token". Returns undefined if all names are
 * known. Smaller in a bundle than the check of the server, which suggests the nearest name.
 * @param kind what the names are
 */
export function unknownName (kind: string, names: readonly string[], known: readonly string[]): string | undefined {
  const name = names.find((name) => !known.includes(name))
  return name === undefined ? undefined : `${kind} '${name}' does not exist: use ${known.join(', ')}`
}
