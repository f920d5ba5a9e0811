/** A name that is valid, and what it becomes, if that differs. Its kind is the Unicode script, or what it shows. */
export type ValidName = readonly [kind: string, name: string, normalised?: string]

export const validNames: readonly ValidName[] = [
  ['Latin', 'ada'], ['Latin', '  ada   lovelace ', 'ada lovelace'], ['Latin', "Renée O'Connor-Smith"], ['Latin', 'Łukasz Żółć'],
  ['Latin', 'e\u0301mile', '\u00e9mile'], ['Latin', 'Nguyễn Thị Ánh'], ['Latin', 'ﬁona', 'fiona'], ['Latin', 'ＡＤＡ', 'ADA'], ['Latin', 'I\u0307brahim', '\u0130brahim'],
  ['Latin', '\u00a0a\u2003b\u3000', 'a b'], ['Latin', '\tada\n', 'ada'], ['Latin', 'x'.repeat(32)], ['Latin', `x${'\u0323'.repeat(127)}`],
  ['Greek', 'Ελένη Παπαδοπούλου'], ['Greek', 'α\u0313\u0342\u0345', 'ᾆ'], ['Cyrillic', 'Олександр'], ['Cyrillic', 'и\u0306ван', 'йван'],
  ['Armenian', 'Արամ'], ['Georgian', 'თამარ'], ['Hebrew', 'ש\u05c2\u05b8ר\u05b8ה', 'ש\u05b8\u05c2ר\u05b8ה'], ['Ethiopic', 'አበበ ቢቂላ'], ['Cherokee', 'ᏍᏏᏉᏯ'], ['Tifinagh', 'ⵜⵉⵏⵀⵉⵏⴰⵏ'], ['Nko', 'ߒߞߏ'],
  ['Ogham', 'ᚁᚏᚔᚌ\u1680ᚁ', 'ᚁᚏᚔᚌ ᚁ'], ['Osage', '𐓏𐓘𐓻𐓘𐓻𐓟'],
  ['Arabic', 'محمد'], ['Arabic', 'م\u064fح\u064eم\u0651\u064eد', 'م\u064fح\u064eم\u064e\u0651د'], ['Arabic', 'علی\u200cرضا'], ['Arabic', 'محمد\u200cرضا'], ['Arabic', 'ﻣﺤﻤﺪ', 'محمد'], ['Syriac', 'ܡܪܝܡ'], ['Thaana', 'އަޙްމަދު'],
  ['Devanagari', 'प्रिया'], ['Devanagari', 'क\u094d\u200dष'], ['Devanagari', 'राज\u094d\u200cय'], ['Bengali', 'র\u200d\u09cdযাচেল'], ['Bengali', 'রবীন্দ্রনাথ'],
  ['Gurmukhi', 'ਗੁਰਪ੍ਰੀਤ'], ['Gujarati', 'પ્રિયંકા'], ['Oriya', 'ପ୍ରିୟା'], ['Tamil', 'தமிழ்ச்செல்வி'], ['Telugu', 'రమేష\u0c4d\u200c'], ['Kannada', 'ರ\u200d\u0ccdಯಾ'],
  ['Malayalam', 'അവന\u0d4d\u200d'], ['Sinhala', 'ශ\u0dca\u200dරී'],
  ['Thai', 'สมชาย'], ['Thai', 'น้\u0e33', 'น้\u0e4d\u0e32'], ['Lao', 'ສົມຊາຍ'], ['Khmer', 'សុខ ស្រីមុំ'], ['Myanmar', 'အောင်ဆန်းစုကြည်'], ['Tibetan', 'བསྟན་འཛིན'],
  ['Mongolian', 'ᠰᠠᠷ\u180eᠠ'], ['Mongolian', 'ᠠ\u180bᠨ'],
  ['Han', '張三'], ['Han', '葛\u{e0100}城'], ['Han', '㍿', '株式会社'], ['Hiragana', 'さくら'], ['Hiragana', 'か\u3099', 'が'], ['Katakana', 'ｱﾔｶ', 'アヤカ'], ['Hangul', '김민수'], ['Hangul', '\u1100\u1161', '가'],
  ['Bopomofo', 'ㄅㄆㄇ'], ['Yi', 'ꆈꌠ'], ['Adlam', '𞤀𞤣𞤤𞤢𞤥'],
  ['emoji', '🦊'.repeat(32)], ['emoji with a variation selector', 'Ada ❤\ufe0f'], ['emoji as text', 'Ada ❤\ufe0e'], ['joined emoji', '👩\u200d💻'],
  ['joined emoji', `👩\u200d❤\ufe0f\u200d💋\u200d👨${'🦊'.repeat(31)}`], ['joined emoji', '🏳\ufe0f\u200d🌈 🐈\u200d⬛'], ['skin tones', '👩🏽\u200d🤝\u200d👨🏿'],
  ['keycaps', '1\ufe0f\u20e3#\ufe0f\u20e3'], ['keycap without a variation selector', '1\u20e3'], ['flag of a country', '🇫🇷'],
  ['flag of a region', '🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}'], ['emoji that NFKC replaces', 'Ada ™\ufe0f', 'Ada TM'], ['emoji that NFKC replaces', '㊗\ufe0f', '祝'],
  ['digits', '42'], ['symbols', '★_★'], ['spacing accents', 'O\u00b4Brien', 'O \u0301Brien'], ['spacing accents', '\u00af\\_(ツ)_/\u00af', ' \u0304\\_(ツ)_/ \u0304'],
  ['no name', '']
]

/** A name that is invalid, and the reason. */
export type InvalidName = readonly [reason: string, name: string]

export const invalidNames: readonly InvalidName[] = [
  ['only spaces', ' '], ['33 letters', 'x'.repeat(33)], ['33 emoji', '👩\u200d💻'.repeat(33)], ['more than 32 letters in NFKC', '\ufdfa'.repeat(3)],
  ['129 code points', `x${'\u0323'.repeat(128)}`], ['more than 128 code points in NFKC', `x${'\u0344'.repeat(65)}`],
  ['a line feed', 'a\nb'], ['a tab', 'a\tb'], ['NUL', 'a\u0000b'], ['an escape', '\u001b[31mada'], ['a C1 control', 'a\u009bb'],
  ['a line separator', 'a\u2028b'], ['a paragraph separator', 'a\u2029b'],
  ['a right-to-left override', 'a\u202eb'], ['an isolate', '\u2066ada'], ['a right-to-left mark', 'ada\u200f'], ['an Arabic letter mark', 'ada\u061c'],
  ['a zero-width space', 'a\u200bb'], ['a word joiner', 'a\u2060b'], ['a byte order mark', 'a\ufeffb'], ['a soft hyphen', 'a\u00adb'], ['a combining grapheme joiner', 'a\u034fb'],
  ['a Hangul filler', 'a\u3164b'], ['a half-width filler', '\uffa0'], ['a jamo filler', '\u115f'], ['a Khmer inherent vowel', 'ក\u17b4'], ['a blank braille pattern', '\u2800'],
  ['an object replacement character', 'a\ufffcb'], ['an interlinear annotation', 'a\ufff9b'], ['an invisible note head', '\u{1d159}'],
  ['a private-use character', '\ue000'], ['a noncharacter', 'a\ufdd0'], ['an unassigned character', 'a\u0378'],
  ['a joiner between letters', 'a\u200db'], ['a joiner at the end', '👩\u200d'], ['a joiner between an emoji and a letter', '👩\u200da'], ['two joiners', '👩\u200d\u200d💻'],
  ['two joiners after a virama', 'क\u094d\u200d\u200dष'], ['a joiner after a vowel sign', 'का\u200dक'], ['a joiner between Arabic letters', 'ع\u200dل'],
  ['a non-joiner between letters', 'a\u200cb'], ['a non-joiner at the end', 'علی\u200c'], ['a non-joiner before a space', 'علی\u200c رضا'], ['two non-joiners', 'علی\u200c\u200cرضا'],
  ['a variation selector after a letter', 'a\ufe0f'], ['a variation selector alone', '\ufe0f'], ['two variation selectors', '❤\ufe0f\ufe0f'], ['a variation selector after a digit', '1\ufe0f'],
  ['a variation selector of ideographs', 'a\u{e0100}'], ['a Mongolian variation selector', 'a\u180b'], ['a Mongolian vowel separator', 'a\u180eb'],
  ['a tag', 'ada\u{e0041}'], ['tags without an end', '🏴\u{e0067}\u{e0062}'], ['tags after another emoji', '🦊\u{e0067}\u{e0062}\u{e0065}\u{e007f}'],
  ['a combining mark at the start', '\u0301ada'], ['only a mark', '\u0301'], ['only a spacing accent', '\u00b4'], ['only a keycap', '\u20e3'], ['only a vowel sign', '\u093e']
]
