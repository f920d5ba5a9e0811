import { readFileSync } from 'node:fs'

const streams = (...files: string[]) => files.map((file) => `redis-without-streams/${file}`)
const records = (...files: string[]) => files.map((file) => `redis-without-records/${file}`)
const changes = (...files: string[]) => files.map((file) => `redis-without-changes/${file}`)

/** Files of the scripts of earlier versions, by the version. Nodes of these versions run beside those of this version during an update. */
const parts = {
  'without changes': {
    append: changes('room', 'append'),
    read: changes('room', 'read'),
    'remove-older-half': changes('room', 'remove-older-half')
  },
  'without streams': {
    append: streams('room', 'changes', 'trim', 'append'),
    amend: streams('room', 'begin-changes', 'changes', 'trim', 'amend'),
    read: streams('room', 'changes', 'trim', 'read')
  },
  'without records': {
    'read-head': [...records('room', 'changes'), ...streams('trim'), ...records('read-head')],
    'remove-older-half': records('room', 'changes', 'remove-older-half'),
    evict: records('room', 'evict'),
    'update-index': records('update-index')
  }
} satisfies Record<string, Record<string, string[]>>

/** Returns a script of an earlier version, but for the number of its keys. */
export function earlierScript<Version extends keyof typeof parts> (version: Version, name: keyof typeof parts[Version] & string): { name: string, writes: true, lua: string } {
  const files = parts[version][name] as string[]
  return { name: `${version} ${name}`, writes: true, lua: files.map((file) => readFileSync(`test/support/fixtures/${file}.lua`, 'utf8')).join('') }
}
