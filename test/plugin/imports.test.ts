import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { posix } from 'node:path'
import t from 'tap'

const root = new URL('../../src/', import.meta.url)
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts')).sort()

interface Source { readonly text: string, readonly local: readonly string[], readonly packages: readonly string[] }

/** Every file of src with what it imports, types too. */
const sources = new Map(files.map((file): [string, Source] => {
  const text = readFileSync(new URL(file, root), 'utf8')
  const imported = [...text.matchAll(/^(?:import|export)\b[^'"]*?\bfrom\s*['"]([^'"]+)['"]|^import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm)]
    .map(([, from, bare, dynamic]) => (from ?? bare ?? dynamic)!)
  return [file, {
    text,
    local: imported.filter((name) => name.startsWith('.')).map((name) => posix.join(posix.dirname(file), name)),
    packages: imported.filter((name) => !name.startsWith('.'))
  }]
}))

/** What stands further right never imports what stands further left. Members of one step may know each other. */
const way: ReadonlyArray<(file: string) => boolean> = [
  (file) => file === 'plugin.ts',
  (file) => file.startsWith('routes/'),
  (file) => file.startsWith('wire/'),
  (file) => file === 'member.ts',
  (file) => file === 'rooms.ts',
  (file) => file === 'room.ts',
  (file) => file.startsWith('store/')
]
const place = (file: string) => way.findIndex((step) => step(file))

/** All that a file comes to import, by way of others too. */
function reach (file: string, seen = new Set<string>()): Set<string> {
  for (const next of sources.get(file)?.local ?? []) {
    if (seen.has(next)) continue
    seen.add(next)
    reach(next, seen)
  }
  return seen
}

t.test('the source was read', async (t) => {
  t.ok(files.length > 20)
  for (const step of way) t.ok(files.some(step), String(step))
  t.strictSame(sources.get('plugin.ts')!.local.filter((file) => file.startsWith('routes/')), ['routes/chat.ts', 'routes/echo.ts'])
  t.ok(sources.get('member.ts')!.local.includes('room.ts'), 'a type import counts')
})

t.test('every import names a file that exists', async (t) => {
  for (const [file, { local }] of sources) {
    for (const other of local) t.ok(sources.has(other), `${file} imports ${other}`)
  }
})

t.test('imports run one way: plugin, routes, wire, member, rooms, room, store', async (t) => {
  for (const file of files.filter((file) => place(file) >= 0)) {
    for (const other of reach(file)) {
      if (place(other) >= 0) t.ok(place(other) >= place(file), `${file} comes to import ${other}`)
    }
  }
})

t.test('no file comes to import itself', async (t) => {
  for (const file of files) t.notOk(reach(file).has(file), file)
})

t.test('protocol and errors are leaves', async (t) => {
  t.strictSame(sources.get('errors.ts'), { ...sources.get('errors.ts'), local: [], packages: ['@fastify/error'] })
  t.strictSame(sources.get('protocol.ts'), { ...sources.get('protocol.ts'), local: ['messages.ts'], packages: [] }, 'a browser can load it: of the messages it takes types')
})

t.test('a driver of a store or a roster imports its interface, checks, errors and its own parts only', async (t) => {
  t.strictSame(sources.get('store/store.ts')!.local, [], 'the interface of stores')
  t.strictSame(sources.get('roster/roster.ts')!.local, ['store/store.ts'], 'the interface of rosters: who someone is')
  const shared = [
    'store/store.ts', 'roster/roster.ts', 'roster/restriction-checks.ts', 'errors.ts', 'checks.ts', 'argument-checks.ts', 'store/followers.ts', 'store/position.ts',
    'heap-cost.ts', 'copy-string.ts'
  ]
  for (const file of files.filter((file) => /^(store|roster)\//.test(file) && !shared.includes(file))) {
    const [, folder, driver] = /^([a-z]+)\/([a-z]+)/.exec(file)!
    for (const other of sources.get(file)!.local) {
      t.ok(shared.includes(other) || other.startsWith(`${folder}/${driver}`) || other.startsWith(`${driver}/`), `${file} imports ${other}`)
    }
  }
})

t.test('nothing but the entry points and the command imports the plugin, and nothing imports the command', async (t) => {
  for (const [file, { local }] of sources) {
    if (!file.startsWith('cli/')) t.notOk(local.some((other) => other.startsWith('cli/')), `${file} and the command`)
    if (!file.startsWith('cli/') && file !== 'index.ts') t.notOk(local.includes('plugin.ts') || local.includes('index.ts'), `${file} and the plugin`)
  }
})

t.test('every package imported is declared', async (t) => {
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(new URL('../package.json', root), 'utf8')) as Record<string, object>
  const declared = [...Object.keys(dependencies!), ...Object.keys(peerDependencies!)]
  for (const [file, { packages }] of sources) {
    for (const name of packages.filter((name) => !builtinModules.includes(name.replace('node:', '')))) {
      t.ok(declared.some((each) => name === each || name.startsWith(`${each}/`)), `${file} imports ${name}`)
    }
  }
})

t.test('the library never writes to the console', async (t) => {
  for (const [file, { text }] of sources) {
    if (!file.startsWith('cli/')) t.notMatch(text, /\bconsole\.|process\.std(out|err)/, file)
  }
})
