import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { command } from '../support/compiled.ts'
import { whole } from '../support/fragments.ts'
import { blocksOf, documents, type Block } from '../support/markdown.ts'
import { run } from '../support/packed.ts'

interface Manifest {
  readonly name: string
  readonly engines: { readonly node: string }
  readonly scripts: Record<string, string>
  readonly dependencies: Record<string, string>
  readonly peerDependencies: Record<string, string>
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest
const blocks = documents.flatMap(blocksOf)
const written = (info: string) => blocks.filter((block) => block.info === info)

/** Blocks that other tests check: those of the protocol, the configurations of proxies, and the components of frameworks. */
const elsewhere = ['ts client', 'ts server', 'json client', 'json server', 'frames', 'http', 'nginx', 'haproxy', 'html', 'text', 'jsx', 'tsx', 'vue', 'svelte']

t.test('every block is checked by a test', async (t) => {
  const here = ['js', 'ts', 'sh', 'dockerfile']
  t.strictSame(blocks.filter(({ info }) => ![...here, ...elsewhere].includes(info)), [])
})

t.test("the programs compile with the package's types", async (t) => {
  const folder = t.testdir()
  const names = new Map<string, Block>()
  for (const [at, block] of [...written('js'), ...written('ts')].entries()) {
    const name = `${at}.m${block.info}`
    names.set(name, block)
    writeFileSync(join(folder, name), whole(block.source))
  }
  mkdirSync(join(folder, 'types'))
  copyFileSync(new URL('../support/fixtures/frameworks.d.ts', import.meta.url), join(folder, 'types/frameworks.d.ts'))
  for (const name of ['app.module.d.ts', 'my-backend.d.ts']) {
    copyFileSync(new URL(`../support/fixtures/${name}`, import.meta.url), join(folder, name))
  }
  const options = '--noEmit --checkJs --strict --skipLibCheck --target es2022 --module nodenext --lib es2023,dom,dom.iterable --types node'
  const files = [...names.keys(), 'types/frameworks.d.ts']
  const { stdout } = await run(folder, process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...options.split(' '), ...files])
  const where = (name: string) => `${names.get(name)?.file} '${names.get(name)?.heading}'`
  t.equal(stdout.replaceAll(/^\d+\.m[jt]s(?=\()/gm, where), '')
})

t.test('every command exists', async (t) => {
  const known = new Set([manifest.name, ...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)])
  for (const { file, source } of written('sh')) {
    const lines = source.split('\n').map((line) => line.replace(/ +#.*/, '')).filter((line) => line !== '')
    for (const line of lines.flatMap((line) => line.split(' && '))) {
      const [program = '', name = '', ...args] = line.split(' ')
      if (program === 'npm' && name === 'install') {
        t.strictSame(args.filter((arg) => !known.has(arg)), [], `${file}: ${line}`)
      } else if (line === 'npm ci') {
        t.ok(existsSync(join(root, 'package-lock.json')), `${file}: ${line}`)
      } else if (program === 'npm') {
        const script = name === 'run' ? args[0]! : name
        t.ok(manifest.scripts[script], `${file}: ${line}`)
      } else {
        t.strictSame([program, name], ['npx', manifest.name], `${file}: ${line}`)
        // With --help, the arguments are checked and nothing is started.
        const [node, main] = command as readonly [string, string]
        t.match(await run(root, node, [main, ...args, '--help']), { code: 0 }, `${file}: ${line}`)
      }
    }
  }
})

t.test('the Dockerfile has a version of Node that the package accepts', async (t) => {
  const [{ source } = { source: '' }] = written('dockerfile')
  const version = Number(/^FROM node:(\d+)-slim$/m.exec(source)?.[1])
  t.ok(version >= Number.parseInt(manifest.engines.node.replace('>=', '')))
  t.match(source, 'npm ci --omit=dev')
  // The exec form: SIGTERM reaches Node.
  t.match(source, /^CMD \["node", "app\.js"\]$/m)
})
