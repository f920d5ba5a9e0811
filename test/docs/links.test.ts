import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { anchorsOf, documents, linksOf } from '../support/markdown.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { repository } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { repository: { url: string } }
const github = repository.url.replace(/^git\+|\.git$/g, '')
const raw = github.replace('github.com', 'raw.githubusercontent.com')
const inRepository = [`${github}/blob/main/`, `${raw}/main/`]

/** Returns the path and the anchor of a link into this repository; undefined for another site's. */
function targetOf (file: string, link: string): { path: string, anchor: string } | undefined {
  const prefix = inRepository.find((prefix) => link.startsWith(prefix))
  if (prefix === undefined && /^\w+:/.test(link)) return undefined
  const [path = '', anchor = ''] = (prefix === undefined ? link : link.slice(prefix.length)).split('#')
  return { path: prefix !== undefined ? path : path === '' ? file : join(dirname(file), path), anchor }
}

for (const file of [...documents, 'SECURITY.md', 'CONTRIBUTING.md', 'examples/README.md', 'conformance/README.md']) {
  t.test(`every link of ${file} leads to a file, and its anchor to a heading`, async (t) => {
    for (const link of linksOf(file)) {
      const target = targetOf(file, link)
      if (target === undefined) continue
      t.ok(existsSync(join(root, target.path)), link)
      if (target.anchor !== '' && target.path.endsWith('.md')) t.ok(anchorsOf(target.path).has(target.anchor), link)
    }
  })
}

t.test('the README has absolute links only, because npm shows it without the repository', async (t) => {
  t.strictSame(linksOf('README.md').filter((link) => !link.startsWith('https://')), [])
})

t.test('docs/README.md names every document', async (t) => {
  const named = new Set(linksOf('docs/README.md'))
  t.strictSame(documents.filter((file) => !['README.md', 'docs/README.md'].includes(file) && !named.has(file.replace('docs/', ''))), [])
})
