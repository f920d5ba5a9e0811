// A bot that posts messages while a person is disconnected. It has its own client, which is closed after the last message.
import { ChatClient } from '../lib/client.js'
import { memoryStorage } from './memory-storage.js'

const PAUSE = 250
const TIMEOUT = 10_000

const texts = [
  'Hello, I am a bot. I post messages while you are disconnected.',
  'The server stores each message at a position.',
  'Your client remembers the last position that it received.',
  'When it reconnects, it requests everything after that position.',
  'This is the last of my five messages.'
]

/** Keeps the session, so that the bot is the same member each time. */
const session = memoryStorage()

/**
 * Resolves when the bot has posted its messages. Rejects if one of them isn't stored.
 * @param onMessage called with each message that the bot receives in the room
 */
export async function postBotMessages ({ url, room: name, onMessage }) {
  const client = new ChatClient(url, { name: 'Bot', session })
  const timer = setTimeout(() => client.close(), TIMEOUT)
  try {
    const room = await client.join(name, { history: 0 })
    room.on('message', onMessage)
    for (const text of texts) {
      await room.post(text)
      await new Promise((resolve) => { setTimeout(resolve, PAUSE) })
    }
  } finally {
    clearTimeout(timer)
    client.close()
  }
}
