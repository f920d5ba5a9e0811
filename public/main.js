// The entry point of the page. Fetches the configuration, and starts the chat and the proof drawer.
import { byId, setText } from './dom.js'

const error = byId('page-error')

async function loadConfig () {
  const response = await fetch('config.json')
  if (!response.ok) throw new Error(`the server responded with ${response.status}`)
  const config = await response.json()
  const absolute = (path) => path && new URL(path, window.location.href).href
  return { ...config, chat: absolute(config.chat), echo: absolute(config.echo) }
}

// Imported dynamically, because a module that can't be loaded prevents every module that imports it from loading.
async function startPane (config) {
  const [{ createLink }, { createPane }] = await Promise.all([import('./proof/link.js'), import('./pane.js')])
  const container = byId('panes')
  const inspect = (person) => (position) => drawer.inspect?.(person(), position)

  function addPerson (options = {}) {
    const link = createLink()
    const person = createPane({ container, config, connect: link.connect, onInspect: inspect(() => person), ...options })
    return { person, link }
  }
  return { addPerson, people: [addPerson()] }
}

let drawer = {}

try {
  const config = await loadConfig()
  let started = { people: [] }
  if (!config.chat && !config.echo) setText(error, 'Chat and echo are both disabled on this server.')
  else if (config.chat && !config.client) setText(error, 'The chat is not available: its client is not compiled. Run “npm run build” and restart the server.')
  else if (config.chat) started = await startPane(config)
  document.body.classList.toggle('without-chat', started.people.length === 0)
  if (config.chat || config.echo) {
    const { startDrawer } = await import('./proof/drawer.js')
    drawer = startDrawer({ element: byId('drawer'), button: byId('proof'), config, ...started }) ?? {}
  }
} catch ({ message }) {
  setText(error, `This page could not be loaded completely: ${message}. Reload to try again.`)
}
