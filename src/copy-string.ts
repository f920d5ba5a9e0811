/** Length in characters from which V8 slices and joins strings without copying them. */
const SHORT = 13

/** Returns a copy of a string. A slice would keep the whole string that it is part of in memory. */
export function copyString (text: string): string {
  return text.length < SHORT ? text : Buffer.from(text).toString()
}
