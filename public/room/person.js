// A person on this page: a name, one client, and the rooms that are open.
import { startChat } from '../chat.js'
import { roomName } from '../lib/client.js'
import { isAttentive } from './attention.js'
import { createConversation } from './conversation.js'
import { listeners } from './listeners.js'
import { memberSession } from './member-session.js'

/** Maximum number of open rooms. */
const MAX_ROOMS = 20
export const TOO_MANY_ROOMS = `${MAX_ROOMS} rooms are open. Leave one first.`

/** @param connect opens the sockets of the client; undefined: the client does */
export function createPerson ({ url, connect, name: givenName, room: defaultRoom, savedPosts, storage }) {
  const changed = listeners()
  const received = listeners()
  const presence = listeners()
  const resumed = listeners()
  const knownName = givenName ?? storage.get('name')
  let name = knownName ?? ''
  let chat, shown
  let status = { state: 'connecting' }
  let wasOnline = false
  let error = ''
  let savesPosts = savedPosts !== undefined
  const session = memberSession(storage)
  /** Posts that were refused. The user sends them again, or discards them. */
  const failed = storage.keep('failed', () => [...failed, ...unsaved()]) ?? []
  const conversations = new Map()
  /** Posts of the last visit that waited for the join of a room. That room wasn't opened since. */
  let waiting = storage.keep('waiting', () => [
    ...waiting,
    ...[...conversations.values()].flatMap(({ name: room, waiting }) => waiting.map((item) => ({ ...item, room })))
  ]) ?? []

  const owner = {
    get savesPosts () { return savesPosts },
    isReading: (conversation) => conversation === shown && person.isAtEnd && isAttentive(),
    onChange: () => changed.call(),
    onFailed: (post) => failed.push(post),
    onMessage: received.call,
    onPresence: presence.call,
    onResumed: resumed.call
  }

  function connectNow () {
    const former = chat
    const ifCurrent = (listener) => (event) => { if (chat === current) listener(event) }
    const current = chat = startChat({
      url, connect, savedPosts, session, name: name || undefined, onStatus: ifCurrent(showStatus), onError: ifCurrent(showError)
    })
    former?.client.close()
    wasOnline = false
    showStatus(chat.client.status)
    // The shown room first.
    for (const conversation of new Set([shown, ...conversations.values()])) conversation.enter(chat)
  }

  function showStatus (next) {
    status = next
    if (status.state === 'online') {
      wasOnline = true
      error = ''
    }
    changed.call()
  }

  function showError ({ code, message }) {
    if (code === 'not_saved') savesPosts = false
    else error = message
    changed.call()
  }

  /** Returns the posts that would be lost with this page. Whether the server has stored them is unknown. */
  function unsaved () {
    if (savesPosts) return []
    return [...conversations.values()].flatMap(({ name: room, snapshot }) => snapshot.items.filter(({ state }) => state === 'pending')
      .map(({ text }) => ({ room, text, code: 'stale_post', message: 'the page was closed before the answer' })))
  }

  function keepRooms () { storage.set('rooms', [...conversations.keys()]) }

  function open (room) {
    const texts = waiting.filter((item) => item.room === room)
    waiting = waiting.filter((item) => item.room !== room)
    const conversation = createConversation(room, owner, storage, texts)
    conversations.set(room, conversation)
    if (chat !== undefined) conversation.enter(chat)
    return conversation
  }

  const person = {
    /** Whether the newest message of the shown room is visible. Set by the message list. */
    isAtEnd: true,
    changed: changed.add,
    received: received.add,
    presence: presence.add,
    resumed: resumed.add,
    /** Shows a room, and joins it if it isn't open. Returns whether it can. */
    show (room) {
      if (!roomName.test(room) || (!conversations.has(room) && conversations.size >= MAX_ROOMS)) return false
      shown?.keepLine()
      shown = conversations.get(room) ?? open(room)
      keepRooms()
      changed.call()
      return true
    },
    leave (room) {
      const conversation = conversations.get(room)
      conversations.delete(room)
      conversation?.leave()
      if (conversation === shown) {
        shown = undefined
        person.show(conversations.keys().next().value ?? defaultRoom)
      }
      keepRooms()
      changed.call()
    },
    /** Opens the rooms of the last visit, and the given one. Returns whether it can. */
    start (room) {
      const others = storage.get('rooms') ?? []
      const isFull = others.length >= MAX_ROOMS && !others.includes(room)
      if (isFull || !person.show(room)) person.show(isFull ? others[0] : defaultRoom)
      for (const other of others) if (!conversations.has(other) && conversations.size < MAX_ROOMS) open(other)
      keepRooms()
      connectNow()
      return !isFull
    },
    /** Joins the shown room again after the server has ended it. */
    rejoin () { shown.enter(chat) },
    /** Connects again after the server has closed the client. */
    connect: connectNow,
    /** Changes the name. The member stays the same. */
    rename (newName) {
      storage.set('name', newName)
      if (newName === name) return
      name = newName
      connectNow()
    },
    /** Removes a failed post, and returns it. */
    takeFailed (post) {
      failed.splice(failed.indexOf(post), 1)
      changed.call()
      return post
    },
    /** Whether the user has chosen a name, or none, before. */
    isNamed: knownName !== undefined,
    close () { chat?.client.close() },
    conversations,
    storage,
    get client () { return chat?.client },
    get shown () { return shown },
    get name () { return name },
    get status () { return status },
    get wasOnline () { return wasOnline },
    get error () { return error },
    get failed () { return failed.filter(({ room }) => room === shown?.name) }
  }
  return person
}
