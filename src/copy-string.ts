/** Length in characters from which V8 slices and joins strings without copying them. */
const SHORT = 13

/** Maximum bytes of a UTF-16 code unit in UTF-8. */
const CODE_UNIT = 3

/** Holds the bytes of a string while it is copied. A buffer for each string would cost more than the copy. */
const scratch = Buffer.allocUnsafeSlow(CODE_UNIT * 1024)

/** Returns a string that isn't a slice. A slice keeps the whole string that it is part of in memory. */
export function copyString (text: string): string {
  if (text.length < SHORT) return text
  if (text.length > scratch.length / CODE_UNIT) return Buffer.from(text).toString()
  const bytes = scratch.write(text)
  return scratch.toString(bytes === text.length ? 'latin1' : 'utf8', 0, bytes)
}
