const control = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu
const named = new Map([['\n', '\\n'], ['\r', '\\r'], ['\t', '\\t']])

/** A stranger's text on one line: without what moves the cursor, colours, clears or reorders a terminal's text. */
export function printable (text: string): string {
  return text.replace(control, (character) => {
    const code = character.charCodeAt(0).toString(16)
    return named.get(character) ?? (code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`)
  })
}

/** What a line, a terminal or a reader of the log could take for something else, among it what JSON does not escape. */
const illegible = /[\p{C}\p{Zl}\p{Zp}]/gu

/** A client's reason, fit for the log. */
export function legible (reason: string): string {
  return reason.replace(illegible, '\ufffd')
}
