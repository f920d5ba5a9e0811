// The chat of this page. The client reconnects, resumes its rooms and repeats posts by itself.
import { ChatClient } from './lib/client.js'

/**
 * Connects to the server.
 * @param url of the chat route; the other options are those of the client
 * @param onStatus called with each status of the connection
 * @param onError called with each error of the server that concerns no post
 */
export function startChat ({ url, onStatus, onError, ...options }) {
  const client = new ChatClient(url, { minDelay: 2_000, queue: 100, ...options })
  client.on('status', onStatus)
  client.on('error', onError)

  /**
   * Joins a room. Resolves when the client is connected and has joined it.
   * @param show called with the messages of the room, stored, pending and failed, after each change
   * @param listeners of other events of the room, by name
   */
  async function open (name, show, listeners = {}) {
    const room = await client.join(name, { history: 50 })
    const timeline = room.timeline({ size: 200 })
    timeline.subscribe(() => show(timeline.getSnapshot()))
    for (const [event, listener] of Object.entries(listeners)) room.on(event, listener)

    /** Posts a text. It is shown as pending at once, and as stored or failed later. */
    const post = (text) => room.post(text)

    return { room, timeline, post }
  }

  return { client, open }
}
