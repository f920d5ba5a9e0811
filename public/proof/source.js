// The tab "Source": the modules that this page runs, read from the same files.
import { build, button, externalLink } from '../dom.js'
import { codeLines } from './code-lines.js'

const repository = 'https://github.com/fastify-chat/fastify-chat'

const server = `// The server of this page, app.js
import Fastify from 'fastify'
import fastifyChat from 'fastify-chat'

const app = Fastify({ logger: true })
await app.register(fastifyChat)
await app.listen({ port: 3000 })
`

const SERVER = 'app.js (the server)'
const FIRST = 'chat.js'

/** Fills the tab. */
export function sourceTab ({ panel }) {
  const base = new URL('.', document.baseURI).href
  const select = build('select', { 'aria-label': 'Module', onchange: () => show(select.value) })
  const code = build('pre', { className: 'source-code', tabIndex: 0, 'aria-label': 'Source' })
  let shown

  panel.append(
    build('div', { className: 'buttons' }, select),
    code,
    build('p', { className: 'links' }, ...links()))

  /** Shows a module. @param module its path from the page @returns a promise of the end */
  async function show (module) {
    shown = module
    listModules()
    try {
      const text = module === SERVER ? server : await load(module)
      if (shown !== module) return
      code.replaceChildren(...codeLines(text, (specifier) => linkTo(specifier, new URL(specifier, base + module).href.slice(base.length))))
    } catch ({ message }) {
      code.textContent = `This module could not be loaded: ${message}.`
    }
    code.scrollTop = code.scrollLeft = 0
  }

  /** Returns a link to an imported module. The client is bundled here, and its sources are in the repository. */
  function linkTo (specifier, module) {
    return module.startsWith('lib/')
      ? externalLink(`${repository}/tree/main/src/client`, specifier)
      : button(specifier, () => show(module), { className: 'import' })
  }

  async function load (module) {
    const response = await fetch(module)
    if (!response.ok) throw new Error(`the server responded with ${response.status}`)
    return await response.text()
  }

  /** Lists the modules that the browser has loaded. */
  function listModules () {
    const loaded = window.performance.getEntriesByType('resource').map(({ name }) => name)
      .filter((name) => name.startsWith(base) && name.endsWith('.js')).map((name) => name.slice(base.length))
    const modules = [...new Set([FIRST, SERVER, ...loaded.filter((name) => !name.startsWith('lib/')).sort(), shown])]
    select.replaceChildren(...modules.map((name) => build('option', { selected: name === shown }, name)))
  }

  return {
    show,
    shown () { if (shown === undefined) show(FIRST) }
  }
}

function links () {
  const targets = { README: '#readme', Protocol: '/blob/main/docs/PROTOCOL.md', Client: '/blob/main/docs/CLIENT.md', Repository: '' }
  return Object.entries(targets).flatMap(([name, path]) => [externalLink(repository + path, name), ' '])
}
