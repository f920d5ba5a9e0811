const control = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu
const named = new Map([['\n', '\\n'], ['\r', '\\r'], ['\t', '\\t']])

/** Escapes untrusted text as one line. Escapes characters that move the cursor, or colour, clear or reorder the text. */
export function printable (text: string): string {
  return text.replace(control, (character) => {
    const code = character.charCodeAt(0).toString(16)
    return named.get(character) ?? (code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`)
  })
}

/** Characters that a terminal or a log reader could misinterpret, including some that JSON doesn't escape. */
const illegible = /[\p{C}\p{Zl}\p{Zp}]/gu

/** Replaces characters of untrusted text that are unsafe in a log. */
export function legible (reason: string): string {
  return reason.replace(illegible, '\ufffd')
}
