import { MAX_NAME, hasMoreCodePoints } from './request-bounds.ts'

/** Maximum grapheme clusters of a name. */
const MAX_CLUSTERS = 32

/** Either the normalised name, or the rule that the given one breaks. */
export type CheckedName = { readonly name: string, readonly problem?: undefined } | { readonly name?: undefined, readonly problem: string }

/** Matches most names in use: printable ASCII with single spaces. They are valid as they are if they are short enough. */
const plain = /^[!-~]+(?: [!-~]+)*$/

/**
 * Returns the name in NFKC and with single spaces, or the rule that it breaks. A name that was returned is returned unchanged.
 * docs/PROTOCOL.md, section 16, has the rules.
 */
export function checkName (given: string): CheckedName {
  if (given.length <= MAX_CLUSTERS && plain.test(given)) return { name: given }
  if (hasMoreCodePoints(given, MAX_NAME)) return { problem: tooLong }
  const name = normalize(given)
  const problem = hasMoreCodePoints(name, MAX_NAME) ? tooLong : problemOf(name)
  return problem === undefined ? { name } : { problem }
}

/** White space at both ends. A space that carries a combining mark is part of the name: NFKC makes `´` a space and U+0301. */
const ends = /^\p{White_Space}+(?!\p{M})|\p{White_Space}+$/gu

function normalize (given: string): string {
  return given
    // NFKC replaces some emoji by letters, such as ™ by TM, and would leave their variation selector behind a letter.
    .replace(/(\p{Extended_Pictographic})[\uFE0E\uFE0F]/gu, (sequence, emoji: string) => emoji.normalize('NFKC') === emoji ? sequence : emoji)
    .normalize('NFKC')
    .replace(/\p{Zs}+/gu, ' ')
    .replace(ends, '')
}

/** Characters that are invisible by themselves, and may join or select the characters around them. */
const joiners = /[\u180B-\u180F]|\u200C|\u200D|[\uFE00-\uFE0F]|[\u{E0020}-\u{E007F}]|[\u{E0100}-\u{E01EF}]/u

/**
 * Matches a character that no name may have. The second alternative matches fillers and other default-ignorable characters,
 * the third matches letters, marks and symbols that are blank. A reserved pictograph is an emoji of a later Unicode version.
 */
const forbidden = new RegExp(
  `(?!${joiners.source})(?:[^\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}\\p{Extended_Pictographic} ]|\\p{Default_Ignorable_Code_Point}|` +
  '[\\u{16FE4}\\u2800\\uFFFC\\u{13441}\\u{13442}\\u{1D159}])', 'u')

const mark = '(?!\\p{Default_Ignorable_Code_Point})\\p{M}'
const arabic = '(?=\\p{L})\\p{Script=Arabic}'

/** Matches the sequences in which joiners are valid. The groups `before` and `after` match marks that must be viramas. */
const joined = new RegExp([
  // Emoji: joined ones, those with a variation selector, keycaps, flags of regions.
  '\\p{Extended_Pictographic}[\\uFE0F\\p{Emoji_Modifier}]?\\u200D(?=\\p{Extended_Pictographic})',
  '\\p{Extended_Pictographic}[\\uFE0E\\uFE0F]',
  '[0-9#*]\\uFE0F\\u20E3',
  '\\u{1F3F4}[\\u{E0030}-\\u{E0039}\\u{E0061}-\\u{E007A}]{3,6}\\u{E007F}',
  // RFC 5892, appendices A.1 and A.2. Bengali and Kannada also have a joiner before the virama.
  '(?<before>\\p{M})[\\u200C\\u200D]',
  '\\p{L}[\\u200C\\u200D](?=(?<after>\\p{M}))',
  // Wider than appendix A.1: Persian names have a non-joiner between their words, also after letters that never join.
  `${arabic}(?:${mark})*\\u200C(?=${arabic})`,
  // Variants of ideographs and of Mongolian letters, and the Mongolian vowel separator.
  '\\p{Unified_Ideograph}[\\uFE00-\\uFE02\\u{E0100}-\\u{E01EF}]',
  '(?=\\p{L})\\p{Script=Mongolian}[\\u180B-\\u180D\\u180F]?\\u180E(?=[\\u1820\\u1821])',
  '(?=\\p{L})\\p{Script=Mongolian}[\\u180B-\\u180D\\u180F]'
].join('|'), 'gu')

const tooLong = `must have at most ${MAX_CLUSTERS} grapheme clusters and ${MAX_NAME} code points`

/** Returns the rule that a normalised name breaks. */
function problemOf (name: string): string | undefined {
  const invalid = forbidden.exec(name)?.[0]
  if (invalid !== undefined) return `must not contain ${codePoint(invalid)}: control, invisible, private-use and unassigned characters are invalid`
  const stray = joiners.exec(withoutJoined(name))?.[0]
  if (stray !== undefined) return `must not contain ${codePoint(stray)} where it joins or selects nothing`
  if (!/[^\p{M} ]/u.test(name)) return 'must contain a letter, a digit, a symbol or an emoji'
  if (/^\p{M}/u.test(name)) return 'must not begin with a combining mark'
  return hasTooManyClusters(name) ? tooLong : undefined
}

/** Returns the name without its sequences of joined characters. */
function withoutJoined (name: string): string {
  return name.replace(joined, (sequence, before?: string, after?: string) => {
    const mark = before ?? after
    return mark === undefined || isVirama(mark) ? '' : sequence
  })
}

/**
 * Returns whether the mark has the canonical combining class 9, Virama. JavaScript has no property for it, but normalization
 * sorts marks by their class: 9 comes after 8, that of U+3099, and before 10, that of U+05B0.
 */
function isVirama (mark: string): boolean {
  return `${mark}\u3099`.normalize('NFD') === `\u3099${mark}` && `\u05B0${mark}`.normalize('NFD') === `${mark}\u05B0`
}

function codePoint (character: string): string {
  return `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`
}

let segmenter: Intl.Segmenter | undefined

/** Returns false where `Intl.Segmenter` is missing, as in Firefox before 125: there only the server counts. */
function hasTooManyClusters (name: string): boolean {
  if (name.length <= MAX_CLUSTERS || Intl.Segmenter === undefined) return false
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' })
  return [...segmenter.segment(name)].length > MAX_CLUSTERS
}
