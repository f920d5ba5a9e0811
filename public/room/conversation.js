// One room of a person: its messages, its unread count, and the posts that wait for the first join.
import { presentMembers } from './present-members.js'
import { readMark } from './read-mark.js'

const MAX_WAITING = 100
const EMPTY = { items: [], hasOlder: false, hasNewer: false, typing: [] }

/**
 * @param name of the room
 * @param person has `savesPosts`, `isReading (conversation)`, and the listeners `onChange ()`, `onFailed (post)`,
 * `onMessage (conversation, message, own)`, `onPresence (conversation, changes)` and `onResumed (conversation, missed, complete)`
 * @param waiting texts that were posted before the room was joined
 */
export function createConversation (name, person, storage, waiting) {
  let chat, entered
  let snapshot = EMPTY
  /** Why the room can't be used; undefined: it can. */
  let problem
  /** Whether the messages of the room were shown since the join. Before, none of them was read. */
  let isShown = false
  let pending = 0
  const present = presentMembers()
  const read = readMark(storage, `read ${name}`)
  const isOwn = ({ from }) => from !== null && from.id === chat?.client.member?.id
  const changed = () => person.onChange()

  const listeners = {
    message (message) {
      const own = isOwn(message)
      if (!own && !person.isReading(self)) read.count(1)
      person.onMessage(self, message, own)
    },
    joined (event) {
      const { again, complete, messages } = event
      problem = undefined
      present.start(event)
      if (again) {
        const missed = messages.filter((message) => !isOwn(message)).length
        if (complete) read.count(missed)
        if (missed > 0) read.keepLine()
        person.onResumed(self, missed, complete)
      }
      changed()
    },
    presence (event) {
      person.onPresence(self, present.update(event))
      changed()
    },
    readPosition ({ unread }) { if (unread === 0) read.clear() },
    left ({ code, message }) {
      if (code !== 'closed') problem = code === 'removed' ? `You were removed from this room: ${message}` : `You are not allowed in this room: ${message}`
      changed()
    }
  }

  /** Joins the room with a new client. The messages of the former one stay until the new ones are there. */
  async function enter (newChat) {
    chat = newChat
    entered = problem = undefined
    isShown = false
    const show = (next) => {
      if (chat !== newChat) return
      snapshot = next
      if (!isShown) read.start(entered?.room, next.items)
      isShown = true
      for (const item of next.items) if (isFailed(item)) fail(item)
      changed()
    }
    try {
      const opened = await newChat.open(name, show, listeners)
      if (chat !== newChat) return
      entered = opened
      for (const { text } of waiting.splice(0)) send(text)
    } catch ({ code, message }) {
      if (chat === newChat && code !== 'closed' && code !== 'left') problem = `This room can't be joined: ${message}`
    }
    changed()
  }

  /** Returns whether a post is lost unless the user sends it again. After `closed`, the next client sends the saved posts. */
  function isFailed ({ state, error }) { return state === 'failed' && !(error.code === 'closed' && person.savesPosts) }

  function fail ({ key, text, error: { code, message } }) {
    person.onFailed({ room: name, text, code, message })
    entered?.timeline.discard(key)
  }

  function send (text) {
    pending++
    const settled = () => { pending-- }
    entered.post(text).then(settled, settled)
  }

  const self = {
    name,
    enter,
    /** Posts a text, now or after the join. Returns the problem if it can't, else ''. */
    post (text) {
      if (problem !== undefined) return problem
      if (pending + waiting.length >= MAX_WAITING) return `Cannot send: ${MAX_WAITING} messages are already waiting`
      read.dropLine()
      if (entered !== undefined) send(text)
      else waiting.push({ key: `waiting ${Math.random()}`, state: 'pending', own: true, text, at: new Date().toISOString(), from: null })
      changed()
      return ''
    },
    leave () {
      read.save()
      chat?.client.leave(name)
      chat = undefined
    },
    /** Loads the messages around a position, or the newest ones without a position. Resolves when they are in the snapshot. */
    async jumpTo (position) {
      const timeline = entered?.timeline
      try {
        await (position === undefined ? timeline?.jumpToNewest() : timeline?.jumpTo(position))
      } finally {
        // Before the listener of the timeline is called.
        if (timeline !== undefined && timeline === entered?.timeline) snapshot = timeline.getSnapshot()
      }
    },
    /** Marks all messages as read. */
    markRead () {
      if (entered === undefined || !isShown || snapshot.hasNewer) return
      read.move(entered.room, snapshot.items.some(({ state }) => state === 'stored'))
    },
    /** Called when the user looks away: later messages are below the unread line. */
    keepLine: read.keepLine,
    get room () { return entered?.room },
    get timeline () { return entered?.timeline },
    get snapshot () { return snapshot },
    /** The items to show, oldest first. */
    get items () { return [...snapshot.items.filter((item) => !isFailed(item)), ...waiting] },
    get waiting () { return waiting },
    get unread () { return read.unread },
    /** Position of the last message above the unread line. */
    get unreadAfter () { return read.line },
    /** Whether there are messages below the unread line. */
    get hasUnreadLine () { return read.line !== undefined && read.belowLine > 0 },
    get problem () { return problem },
    get isOpen () { return entered !== undefined && problem === undefined }
  }
  return self
}
