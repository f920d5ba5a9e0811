import { execFileSync } from 'node:child_process'
import { plain, v1, ws } from '../contenders.ts'
import type { Idle } from './load.ts'

const WANTED = 5_000

/** Approximate number of files that a server or a generator has open besides its connections. */
const OTHER_FILES = 100

const files = allowedFiles()
const members = Math.min(WANTED, files - OTHER_FILES)
const count = members.toLocaleString('en')

export const idle: Idle = {
  kind: 'idle',
  name: 'idle',
  title: `${count} members that send nothing: memory per connection`,
  members,
  contenders: [plain(), ws, v1()],
  targets: [
    { ours: 'plain', control: 'ws', measure: 'heap', atMost: 1.3 },
    { ours: 'plain', control: 'ws', measure: 'rss', atMost: 0.8 },
    { ours: 'v1', control: 'ws', measure: 'heap', atMost: 1.3 },
    { ours: 'v1', control: 'ws', measure: 'rss', atMost: 0.8 }
  ],
  ...members < WANTED && { note: `ulimit -n allows ${files} files, so ${members} members instead of ${WANTED}` }
}

/** Measures a connection with its half of a room of two, in which one message was posted. */
export const idlePairs: Idle = {
  ...idle,
  name: 'idle-pairs',
  title: `${count} members that send nothing, in rooms of 2: memory per connection`,
  roomSize: 2,
  targets: [{ ours: 'plain', control: 'ws' }, { ours: 'v1', control: 'ws' }]
}

/** Returns the hard limit, to which Node raises its own. */
function allowedFiles (): number {
  try {
    const limit = execFileSync('sh', ['-c', 'ulimit -Hn']).toString().trim()
    return limit === 'unlimited' ? Infinity : Number(limit)
  } catch {
    // Windows has no shell and no such limit.
    return Infinity
  }
}
