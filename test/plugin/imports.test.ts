import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { posix } from 'node:path'
import t from 'tap'

const root = new URL('../../src/', import.meta.url)

interface Source { readonly text: string, readonly local: readonly string[], readonly packages: readonly string[] }
type Sources = ReadonlyMap<string, Source>

/** Maps every file of a folder to its imports, including type imports. */
const read = (folder: URL): Sources => new Map(readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts') && !file.includes('node_modules/')).sort().map((file): [string, Source] => {
  const text = readFileSync(new URL(file, folder), 'utf8')
  const imported = [...text.matchAll(/^(?:import|export)\b[^'"]*?\bfrom\s*['"]([^'"]+)['"]|^import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm)]
    .map(([, from, bare, dynamic]) => (from ?? bare ?? dynamic)!)
  return [file, {
    text,
    local: imported.filter((name) => name.startsWith('.')).map((name) => posix.join(posix.dirname(file), name)),
    packages: imported.filter((name) => !name.startsWith('.'))
  }]
}))

const sources = read(root)
const files = [...sources.keys()]

/** The areas in import order: a file imports only from its own area and from later ones. */
const areas = ['cli', 'entry', 'routes', 'upgrade', 'wire', 'rooms', 'connection', 'observability', 'drivers', 'react', 'client', 'contract', 'contracts']

/** Files at the top of src that make up the plugin. All others there are contracts, which every area may import. */
const entry = ['index.ts', 'plugin.ts', 'testing.ts', 'ineffective-options.ts', 'option-contradictions.ts']

function area (file: string): string {
  const [folder, ...rest] = file.split('/')
  if (rest.length === 0) return entry.includes(file) ? 'entry' : 'contracts'
  return folder === 'chat' ? 'entry' : folder!
}

/** Returns the name of the driver that a file belongs to, which is its folder. */
const driver = (file: string) => /^drivers\/([a-z]+)\//.exec(file)?.[1]

/** Returns whether a folder is another one or lies in it. */
const isInside = (folder: string, other: string) => other === '.' || `${folder}/`.startsWith(`${other}/`)

/** Returns the direct and indirect imports of a file. */
function reach (sources: Sources, file: string, seen = new Set<string>()): Set<string> {
  for (const next of sources.get(file)?.local ?? []) {
    if (seen.has(next)) continue
    seen.add(next)
    reach(sources, next, seen)
  }
  return seen
}

t.test('all files of src are read', async (t) => {
  t.ok(files.length > 100)
  t.strictSame([...new Set(files.map(area))].sort(), [...areas].sort())
  t.ok(sources.get('plugin.ts')!.local.includes('routes/chat.ts'))
  t.ok(sources.get('rooms/peer/enter-room.ts')!.local.includes('rooms/room.ts'), 'type imports count')
})

t.test('every relative import names an existing file', async (t) => {
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

t.test('the folders of an area import each other one way', async (t) => {
  const folders = new Map<string, Source>()
  for (const [file, { local }] of sources) {
    const folder = posix.dirname(file)
    const others = local.map((other) => posix.dirname(other)).filter((other) => !isInside(other, folder) && !isInside(folder, other))
    folders.set(folder, { text: '', packages: [], local: [...folders.get(folder)?.local ?? [], ...others] })
  }
  t.ok(folders.get('rooms/peer')!.local.includes('rooms/membership'))
  for (const folder of folders.keys()) t.notOk(reach(folders, folder).has(folder), folder)
})

for (const folder of ['src', 'conformance', 'bench']) {
  t.test(`no file of ${folder}/ imports itself, directly or indirectly`, async (t) => {
    const sources = read(new URL(`../../${folder}/`, import.meta.url))
    t.ok(sources.size > 10)
    for (const file of sources.keys()) t.notOk(reach(sources, file).has(file), file)
  })
}

t.test("errors.ts imports only the protocol's codes; a browser can load what the client shares", async (t) => {
  for (const file of ['code-points.ts', 'unknown-name.ts']) t.strictSame(sources.get(file), { ...sources.get(file), local: [], packages: [] }, 'a browser can load it')
  t.strictSame(sources.get('errors.ts'), { ...sources.get('errors.ts'), local: ['error-meaning.ts', 'protocol.ts'], packages: [] })
  t.strictSame(sources.get('error-meaning.ts'), { ...sources.get('error-meaning.ts'), local: ['protocol.ts'], packages: ['@fastify/error'] })
  t.strictSame(sources.get('protocol.ts'), { ...sources.get('protocol.ts'), local: ['messages.ts', 'request-bounds.ts'], packages: [] }, 'a browser can load it: it imports only types from messages.ts')
  t.strictSame(sources.get('request-bounds.ts'), { ...sources.get('request-bounds.ts'), local: [], packages: [] })
})

t.test('the contracts of the store and the roster import only each other', async (t) => {
  t.strictSame(sources.get('entry.ts')!.local, [])
  t.strictSame(sources.get('change.ts')!.local, ['entry.ts'])
  t.strictSame(sources.get('store.ts')!.local, ['change.ts', 'entry.ts'])
  t.strictSame(sources.get('roster.ts')!.local, ['store.ts'])
})

t.test('a driver imports no other driver, but lmdb/backend.ts has the roster in memory', async (t) => {
  for (const file of files.filter((file) => driver(file) !== undefined)) {
    for (const other of sources.get(file)!.local) {
      const isComposed = file === 'drivers/lmdb/backend.ts' && other === 'drivers/memory/roster.ts'
      t.ok(isComposed || [driver(file), undefined].includes(driver(other)), `${file} imports ${other}`)
    }
  }
})

t.test('only index.ts and cli/ import the plugin, and only cli/ imports cli/', async (t) => {
  for (const [file, { local }] of sources) {
    if (!file.startsWith('cli/')) t.notOk(local.some((other) => other.startsWith('cli/')), `${file} imports no file of cli/`)
    if (!file.startsWith('cli/') && file !== 'index.ts') t.notOk(local.includes('plugin.ts') || local.includes('index.ts'), `${file} does not import the plugin`)
  }
})

t.test('every imported package is declared in package.json', async (t) => {
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(new URL('../package.json', root), 'utf8')) as Record<string, object>
  const declared = [...Object.keys(dependencies!), ...Object.keys(peerDependencies!)]
  for (const [file, { packages }] of sources) {
    for (const name of packages.filter((name) => !builtinModules.includes(name.replace('node:', '')))) {
      t.ok(declared.some((each) => name === each || name.startsWith(`${each}/`)), `${file} imports ${name}`)
    }
  }
})

t.test('no file outside of cli/ writes to the console or to standard streams', async (t) => {
  for (const [file, { text }] of sources) {
    if (!file.startsWith('cli/')) t.notMatch(text, /\bconsole\.|process\.std(out|err)/, file)
  }
})
