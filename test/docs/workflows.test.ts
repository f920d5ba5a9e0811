import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'

interface Step { readonly uses?: string }
interface Workflow {
  readonly permissions: Record<string, string>
  readonly concurrency: unknown
  readonly jobs: Record<string, { readonly 'timeout-minutes': number, readonly permissions?: Record<string, string>, readonly steps: Step[] }>
}

async function workflow (name: string): Promise<{ text: string, parsed: Workflow }> {
  const text = await readFile(join('.github/workflows', name), 'utf8')
  return { text, parsed: parse(text) as Workflow }
}

t.test('every file of .github is valid YAML', async (t) => {
  for (const name of await readdir('.github', { recursive: true })) {
    if (name.endsWith('.yml')) t.type(parse(await readFile(join('.github', name), 'utf8')), 'object', name)
  }
})

t.test('workflows have read permissions, a time limit, and actions pinned by commit', async (t) => {
  for (const name of await readdir('.github/workflows')) {
    const { text, parsed: { permissions, concurrency, jobs } } = await workflow(name)
    t.strictSame(permissions, { contents: 'read' }, name)
    t.ok(concurrency, name)
    for (const [id, job] of Object.entries(jobs)) t.type(job['timeout-minutes'], 'number', `${name}: ${id}`)
    const used = text.match(/\buses: .*/g) ?? []
    for (const line of used) t.match(line, /^uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/, `${name}: ${line}`)
  }
})

t.test('only the job that publishes may write, and it needs the tests', async (t) => {
  const { parsed: { jobs } } = await workflow('release.yml')
  t.strictSame(jobs['publish']!.permissions, { contents: 'read', 'id-token': 'write' })
  t.match(jobs['publish'], { needs: 'test' })
  t.equal(jobs['test']!.permissions, undefined)
})
