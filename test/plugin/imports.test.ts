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

/** The areas in the order in which they may import each other: each only those that come after it, and itself. */
const areas = ['cli', 'entry', 'routes', 'upgrade', 'wire', 'rooms', 'connection', 'observability', 'drivers', 'client', 'contracts']

/** Files at the top of src that add up to the plugin; all others there are contracts, which everybody may import. */
const entry = ['index.ts', 'plugin.ts', 'testing.ts']

function area (file: string): string {
  const [folder, ...rest] = file.split('/')
  if (rest.length === 0) return entry.includes(file) ? 'entry' : 'contracts'
  return folder === 'chat' ? 'entry' : folder!
}

/** A driver is one folder. */
const driver = (file: string) => /^drivers\/([a-z]+)\//.exec(file)?.[1]

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
  t.ok(files.length > 100)
  t.strictSame([...new Set(files.map(area))].sort(), [...areas].sort())
  t.ok(sources.get('plugin.ts')!.local.includes('routes/chat.ts'))
  t.ok(sources.get('rooms/peer.ts')!.local.includes('rooms/room.ts'), 'a type import counts')
})

t.test('every import names a file that exists', async (t) => {
  for (const [file, { local }] of sources) {
    for (const other of local) t.ok(sources.has(other), `${file} imports ${other}`)
  }
})

t.test('imports run one way through the areas', async (t) => {
  for (const file of files) {
    for (const other of sources.get(file)!.local) {
      t.ok(areas.indexOf(area(other)) >= areas.indexOf(area(file)), `${file} imports ${other}`)
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

t.test('the contracts of stores and rosters import nothing else', async (t) => {
  t.strictSame(sources.get('store.ts')!.local, [])
  t.strictSame(sources.get('roster.ts')!.local, ['store.ts'])
})

t.test('a driver imports no other driver', async (t) => {
  for (const file of files.filter((file) => driver(file) !== undefined)) {
    for (const other of sources.get(file)!.local) t.ok([driver(file), undefined].includes(driver(other)), `${file} imports ${other}`)
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
