import { readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import t from 'tap'
import { dist } from '../support/compiled.ts'

t.test('the compiled client loads only sibling files in a browser', async (t) => {
  const seen = new Set<string>()
  const load = async (path: string): Promise<void> => {
    if (seen.has(path)) return
    seen.add(path)
    const source = await readFile(path, 'utf8')
    for (const [statement, from, bare] of source.matchAll(/^(?:import|export)\s[^;'"]*?\bfrom\s*['"]([^'"]+)['"]|^import\s*['"]([^'"]+)['"]/gm)) {
      const name = from ?? bare ?? ''
      t.match(name, /^\.\.?\/.*\.js$/, statement)
      await load(join(dirname(path), name))
    }
    t.notMatch(source, /\bimport\(/, 'not every bundler accepts a dynamic import')
  }
  await load(join(dist, 'client/index.js'))
  const shared = [...seen].filter((path) => !path.startsWith(join(dist, 'client/'))).map((path) => relative(dist, path)).sort()
  t.same(shared, ['protocol.js', 'request-bounds.js'], 'the schemas are not among them')
})
