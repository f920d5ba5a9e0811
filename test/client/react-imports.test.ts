import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { dist } from '../support/compiled.ts'

t.test('the compiled hooks import react, each other and the client that browsers load', async (t) => {
  const files = (await readdir(join(dist, 'react'))).filter((file) => file.endsWith('.js'))
  const imported = new Set<string>()
  for (const file of files) {
    const source = await readFile(join(dist, 'react', file), 'utf8')
    for (const [, name] of source.matchAll(/\bfrom\s*['"]([^'"]+)['"]/g)) imported.add(name!)
  }
  const siblings = files.filter((file) => file !== 'index.js').map((file) => `./${file}`)
  t.strictSame([...imported].sort(), ['../client/index.js', 'react', ...siblings].sort())
})

t.test('the entry of the hooks is a client module, for frameworks with server components', async (t) => {
  t.match(await readFile(join(dist, 'react/index.js'), 'utf8'), /^'use client';?\n/)
})
