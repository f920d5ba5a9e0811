import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'

const checkout = fileURLToPath(new URL('../../', import.meta.url))

/** Of one file, in the format of Istanbul. */
interface FileCoverage { readonly s: Record<string, number>, readonly statementMap: Record<string, { readonly start: { readonly line: number } }> }

// The comment has another length in each compiled version.
const source = `
/** ${'x'.repeat(200)} */
export function first () {
  const one = process.argv.length
  return one
}

/** ${'y'.repeat(300)} */
export function second () {
  const two = process.argv.length
  if (two > 100) {
    throw new Error('never')
  }
  return two
}

if (process.argv[2] === 'first') first()
else second()
`

/** Runs a program without the loader of tap, which records coverage in another way. */
function run (program: string[], cwd: string, variables: NodeJS.ProcessEnv = {}): void {
  execFileSync('env', ['-u', 'NODE_OPTIONS', ...program], { cwd, env: { PATH: `${join(checkout, 'node_modules', '.bin')}:${process.env['PATH']}`, ...variables } })
}

t.test('the coverage of two compiled versions of a source adds up', async (t) => {
  // A package inside the checkout, so that the command finds its programs.
  const root = t.testdir({ 'package.json': '{ "type": "module" }', src: { 'x.ts': source } })
  const [compiled, coverage] = [join(root, 'src', 'x.js'), join(root, '.tap', 'coverage')]
  for (const [index, argument] of ['first', 'second'].entries()) {
    const { outputText } = ts.transpileModule(source, {
      fileName: 'x.ts',
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, inlineSourceMap: true, removeComments: index === 1 }
    })
    writeFileSync(compiled, outputText)
    run([process.execPath, compiled, argument], root, { NODE_V8_COVERAGE: coverage })
  }

  const { scripts: { postcoverage } } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { scripts: { postcoverage: string } }
  const command = postcoverage.replace('test/support', join(checkout, 'test', 'support')).replace('--reporter text', '--reporter json')
  run(['sh', '-c', command], root)

  const report = JSON.parse(readFileSync(join(root, 'coverage', 'coverage-final.json'), 'utf8')) as Record<string, FileCoverage>
  const file = report[join(root, 'src', 'x.ts')]!
  const missed = Object.entries(file.s).filter(([, hits]) => hits === 0).map(([id]) => file.statementMap[id]!.start.line)
  t.strictSame(missed.map((line) => source.split('\n')[line - 1]!.trim()), ["throw new Error('never')", '}'])
})
