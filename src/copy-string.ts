/** A string of its own: a slice, kept for long, would keep all that it was cut from. */
export function copyString (text: string): string {
  return Buffer.from(text).toString()
}
