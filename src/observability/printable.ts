const control = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu
const named = new Map([['\n', '\\n'], ['\r', '\\r'], ['\t', '\\t']])

/** A stranger's text on one line: without what moves the cursor, colours, clears or reorders a terminal's text. */
export function printable (text: string): string {
  return text.replace(control, (character) => {
    const code = character.charCodeAt(0).toString(16)
    return named.get(character) ?? (code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`)
  })
}
