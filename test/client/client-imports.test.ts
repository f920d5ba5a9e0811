import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'

const root = fileURLToPath(new URL('../..', import.meta.url))

t.test('the compiled client loads only sibling files in a browser', async (t) => {
  const out = t.testdir()
  await promisify(execFile)(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--noCheck', '--outDir', out], { cwd: root })
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
    const dynamic = source.match(/\bimport\(.*/g) ?? []
    if (path.endsWith('client/socket.js')) t.match(dynamic, [/'ws'/], 'imported only in Node')
    else t.same(dynamic, [])
  }
  await load(join(out, 'client/index.js'))
  const shared = [...seen].filter((path) => dirname(path) !== join(out, 'client')).map((path) => relative(out, path)).sort()
  t.same(shared, ['code-points.js', 'protocol.js', 'request-bounds.js', 'token-bucket.js', 'unknown-name.js'], 'the schemas are not among them')
})
