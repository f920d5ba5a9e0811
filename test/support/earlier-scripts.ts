import { readFileSync } from 'node:fs'

/** Parts of several versions. */
const shared = (...files: string[]) => files.map((file) => `redis-earlier/${file}`)
const streams = (...files: string[]) => files.map((file) => `redis-without-streams/${file}`)
const records = (...files: string[]) => files.map((file) => `redis-without-records/${file}`)
const changes = (...files: string[]) => files.map((file) => `redis-without-changes/${file}`)

/** The first parts of the scripts of a room. */
const room = {
  'without changes': [...changes('state'), ...shared('save'), ...changes('begin', 'trim')],
  'without streams': [...streams('state'), ...shared('changes-and-charges', 'save'), ...streams('begin')],
  'without records': [...records('state'), ...shared('changes-and-charges', 'save'), ...records('begin')]
}

/** The files of each script of an earlier version. During an update, nodes of that version run beside nodes of this version. */
const parts = {
  'without changes': {
    append: [...room['without changes'], ...changes('append')],
    read: [...room['without changes'], ...changes('read')],
    'remove-older-half': [...room['without changes'], ...changes('remove-older-half')]
  },
  'without streams': {
    append: [...room['without streams'], ...streams('changes'), ...shared('trim'), ...streams('append')],
    amend: [...room['without streams'], ...streams('begin-changes', 'changes'), ...shared('trim'), ...streams('amend')],
    read: [...room['without streams'], ...streams('changes'), ...shared('trim'), ...streams('read')]
  },
  'without records': {
    'read-head': [...room['without records'], ...records('changes'), ...shared('trim'), ...records('read-head')],
    'remove-older-half': [...room['without records'], ...records('changes', 'remove-older-half')],
    evict: [...room['without records'], ...records('evict')],
    'update-index': records('update-index')
  }
} satisfies Record<string, Record<string, string[]>>

/** Returns a script of an earlier version, without the number of its keys. */
export function earlierScript<Version extends keyof typeof parts> (version: Version, name: keyof typeof parts[Version] & string): { name: string, writes: true, lua: string } {
  const files = parts[version][name] as string[]
  return { name: `${version} ${name}`, writes: true, lua: files.map((file) => readFileSync(`test/support/fixtures/${file}.lua`, 'utf8')).join('') }
}
