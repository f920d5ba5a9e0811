/** Returns the length of a text in code points. A lone surrogate counts as one. */
export function codePoints (text: string): number {
  let count = 0
  for (let index = 0; index < text.length; index = next(text, index)) count++
  return count
}

/** Returns the index of the code unit at which a code point of a text begins; the length in code units, or more, beyond its end. */
export function indexOfCodePoint (text: string, at: number): number {
  let index = 0
  for (let count = 0; count < at; count++) index = next(text, index)
  return index
}

/** Returns the index of the next code point. */
function next (text: string, index: number): number {
  const isPair = (text.charCodeAt(index) & 0xfc00) === 0xd800 && (text.charCodeAt(index + 1) & 0xfc00) === 0xdc00
  return index + (isPair ? 2 : 1)
}
