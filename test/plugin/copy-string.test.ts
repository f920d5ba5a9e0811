import t from 'tap'
import { copyString } from '../../src/copy-string.ts'

t.test('a copy has the same characters, whatever its length and its bytes per character', async (t) => {
  for (const character of ['a', '\u0080', 'ÿ', 'ā', '世', '👋']) {
    for (const length of [0, 1, 12, 13, 14, 1_023, 1_024, 1_025, 5_000]) {
      const text = character.repeat(length)
      t.equal(copyString(`${text}|`.slice(0, -1)), text, `${length} of ${character}`)
    }
  }
})

t.test('a lone surrogate becomes U+FFFD, as in a frame', async (t) => {
  t.equal(copyString(`${'a'.repeat(20)}\ud800`), `${'a'.repeat(20)}\ufffd`)
})
