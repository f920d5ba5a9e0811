/** Length in characters from which V8 slices and joins strings without copying them. */
const SHORT = 13

/** Returns a string that isn't a slice. A slice keeps the whole string that it is part of in memory. */
export function copyString (text: string): string {
  return text.length < SHORT ? text : Buffer.from(text).toString()
}
