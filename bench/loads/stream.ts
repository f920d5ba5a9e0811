import { v1 } from '../contenders.ts'
import type { Traffic } from './load.ts'

const streams = v1('stream')

export const stream: Traffic = {
  kind: 'traffic',
  name: 'stream',
  title: '1,000 members of a room: 100 posts of 64 B a second, or as many pieces of a streamed text',
  members: 1_000,
  pattern: { kind: 'open', rate: 100 },
  size: 64,
  contenders: [v1('posts'), { ...streams, dialect: 'v1 stream', options: { ...streams.options, streams: true } }],
  targets: [{ ours: 'stream', control: 'posts', atMost: 1 }],
  note: 'Pieces that are merged count as one delivery each.'
}
