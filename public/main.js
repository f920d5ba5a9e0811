// The entry point of the page. Fetches the configuration, and starts a panel for each route.
import { byId, setText } from './dom.js'

const error = byId('page-error')

async function loadConfig () {
  const response = await fetch('config.json')
  if (!response.ok) throw new Error(`the server responded with ${response.status}`)
  return response.json()
}

function socketUrl (path) {
  const url = new URL(path, window.location.href)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  return url
}

// Imported dynamically, because a module that can't be loaded prevents every module that imports it from loading.
async function startChatPanel ({ chat, client, room }) {
  if (!client) {
    return setText(error, 'The chat is not available: its client is not compiled. Run “npm run build” and restart the server.')
  }
  const { startChat } = await import('./chat.js')
  startChat(socketUrl(chat), room)
}

async function startEchoPanel ({ echo }) {
  const { startEcho } = await import('./echo.js')
  startEcho(socketUrl(echo))
}

try {
  const config = await loadConfig()
  if (!config.chat && !config.echo) setText(error, 'Chat and echo are both disabled on this server.')
  const starting = []
  if (config.chat) starting.push(startChatPanel(config))
  if (config.echo) starting.push(startEchoPanel(config))
  await Promise.all(starting)
} catch ({ message }) {
  setText(error, `This page could not be loaded completely: ${message}. Reload to try again.`)
}
