// Writes the list of modules into the page: `node --import tsx test/support/preload.ts`, after `npm run build`.
import { readFileSync, writeFileSync } from 'node:fs'
import { firstModules } from './module-graph.ts'

const file = new URL('../../public/index.html', import.meta.url)
const links = firstModules().map((path) => `  <link rel="modulepreload" href="${path}">\n`).join('')
const html = readFileSync(file, 'utf8').replace(/ *<link rel="modulepreload".*\n/g, '')
writeFileSync(file, html.replace('  <script type="module"', `${links}  <script type="module"`))
