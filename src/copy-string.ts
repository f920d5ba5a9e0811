/** Characters from which on V8 makes a slice, or joins strings without copying them. */
const SHORT = 13

/** A string of its own: a slice, kept for long, would keep all that it was cut from. */
export function copyString (text: string): string {
  return text.length < SHORT ? text : Buffer.from(text).toString()
}
