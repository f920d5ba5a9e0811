// The entry point of the page. Fetches the configuration, and starts the chat and the proof drawer.
import { byId, setText } from './dom.js'

const error = byId('page-error')

async function loadConfig () {
  const response = await fetch('config.json')
  if (!response.ok) throw new Error(`the server responded with ${response.status}`)
  const config = await response.json()
  const socketUrl = (path) => path && new URL(path, window.location.href).href.replace(/^http/, 'ws')
  return { ...config, chat: socketUrl(config.chat), echo: socketUrl(config.echo) }
}

// Imported dynamically, because a module that can't be loaded prevents every module that imports it from loading.
async function startPerson (config) {
  const [{ createLink }, { createPane }] = await Promise.all([import('./proof/link.js'), import('./pane.js')])
  const link = createLink()
  const onInspect = (position) => drawer?.inspect(person, position)
  const person = createPane({ container: byId('panes'), config, connect: link.connect, onReconnect: () => link.restore(), onInspect })
  return { person, link }
}

async function addSecondPerson (config, room) {
  const { addSecondPerson } = await import('./proof/second-person.js')
  return addSecondPerson({ container: byId('panes'), config, room, onInspect: (...where) => drawer.inspect(...where) })
}

async function start (config) {
  if (config.chat && !config.client) {
    setText(error, 'The chat is not available: its client is not compiled. Run “npm run build” and restart the server.')
  }
  const people = config.chat && config.client ? [await startPerson(config)] : []
  document.body.classList.toggle('without-chat', people.length === 0)
  if (!config.chat && !config.echo) return setText(error, 'Chat and echo are both disabled on this server.')
  const { startDrawer } = await import('./proof/drawer.js')
  const addPerson = () => addSecondPerson(config, people[0].person.room?.name)
  drawer = startDrawer({ element: byId('drawer'), button: byId('proof'), config, people, addPerson })
  byId('source').onclick = () => drawer.showSource('chat.js')
  delete document.documentElement.dataset.drawer
}

let drawer

try {
  await start(await loadConfig())
} catch ({ message }) {
  setText(error, `This page could not be loaded completely: ${message}. Reload to try again.`)
}
