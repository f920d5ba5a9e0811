/** Returns the length of a text in code points. A lone surrogate counts as one. */
export function codePoints (text: string): number {
  let count = text.length
  for (let i = 0; i < text.length - 1; i++) {
    if (isPair(text, i)) {
      count--
      i++
    }
  }
  return count
}

/** Returns the index of the code unit at which a code point of a text begins; the length in code units at its end. */
export function indexOfCodePoint (text: string, at: number): number {
  let index = 0
  for (let count = 0; count < at; count++) index += isPair(text, index) ? 2 : 1
  return index
}

function isPair (text: string, index: number): boolean {
  return (text.charCodeAt(index) & 0xfc00) === 0xd800 && (text.charCodeAt(index + 1) & 0xfc00) === 0xdc00
}
