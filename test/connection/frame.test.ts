import t from 'tap'
import { frame, frames } from '../../src/connection/frame.ts'
import { wholeFrames } from '../support/frames.ts'

/** Texts of one to four bytes per character, in strings of one and of two bytes per character. A lone surrogate is sent as U+FFFD. */
const texts = ['', 'a', '\u0080', 'ÿ', 'aé', 'é'.repeat(63), 'a'.repeat(125), 'a'.repeat(126), 'ā', '世界', '👋', 'a\ud800b', 'a'.repeat(70_000)]

t.test('a frame has the UTF-8 bytes of its text', async (t) => {
  for (const text of texts) {
    const [{ payload } = {}] = wholeFrames(frame(text))
    t.ok(payload?.equals(Buffer.from(text)), text.slice(0, 20))
  }
})

t.test('frames are joined in one buffer, and appended to the bytes of before', async (t) => {
  const payloads = [...texts, Buffer.from([0, 255])]
  const { bytes, ends } = frames(payloads)
  t.strictSame(wholeFrames(bytes).map(({ payload }) => payload.toString('hex')), payloads.map((payload) => Buffer.from(payload).toString('hex')))
  t.strictSame(ends.map((end, i) => wholeFrames(bytes.subarray(ends[i - 1] ?? 0, end)).length), payloads.map(() => 1))

  const before = frame('before')
  const after = frames(payloads, before)
  t.ok(after.bytes.equals(Buffer.concat([before, bytes])))
  t.strictSame(after.ends, ends.map((end) => end + before.length))
  t.strictSame(frames([]).bytes.length, 0)
})
