// The messages of a room as list items: messages of other members, own messages, and own posts that are not stored yet. Each is
// shown once.
import { applyChange } from './lib/client/index.js'
import { messageList } from './message-list.js'
import { textButton, textElement } from './dom.js'

const GROUP_WITHIN = 5 * 60_000
const SERVER = { id: '', name: 'Server' }

/** @param isOwn returns whether a member id is the user's own */
export function chatMessages ({ list, newMessages, names, isOwn, reachedTop }) {
  const messages = messageList(list, newMessages, reachedTop)
  /** Own posts that are pending or have failed, oldest first. Their items are at the end of the list. */
  const outgoing = new Set()
  /** The message of each item, with its changes. */
  const shown = new WeakMap()

  /** Returns the first item of a post that is not stored yet. Messages are inserted before it. */
  const end = () => [...outgoing].find(({ settled }) => !settled)?.item ?? null

  function draw (message) {
    const { at, from } = message
    const { id, name } = from ?? SERVER
    const own = isOwn(id)
    const item = textElement('li', own ? 'sent' : 'received', '')
    item.dir = 'auto'
    item.dataset.from = id
    item.dataset.at = Date.parse(at)
    item.dataset.position = message.position
    item.ariaBusy = String(message.streaming === true)
    shown.set(item, message)
    item.append(
      own ? textElement('span', 'name', 'You') : names.tag({ id, name }),
      textElement('span', 'text', textOf(message)),
      timeElement(at)
    )
    return item
  }

  /** Hides the name of a message if the message above has the same sender. Screen readers still read the name. */
  function groupWithAbove (item) {
    const above = item?.previousElementSibling
    const continues = above?.dataset.from === item?.dataset.from && item?.dataset.at - above?.dataset.at < GROUP_WITHIN
    item?.classList.toggle('continued', continues)
  }

  function receive (message) {
    // Only the acknowledgement, which follows, identifies the post. Until then, the post is matched by its text.
    const own = message.from && isOwn(message.from.id)
    const post = own && [...outgoing].find((each) => each.waiting && each.text === message.text)
    if (post) return become(post, message)
    const item = draw(message)
    messages.add(item, end())
    groupWithAbove(item)
  }

  function become (post, message) {
    const item = draw(message)
    post.settled = true
    post.waiting = false
    post.item.dataset.position = message.position
    shown.set(post.item, message)
    post.item.dataset.from = message.from.id
    post.item.dataset.at = item.dataset.at
    post.item.classList.remove('pending')
    post.state.replaceWith(item.querySelector('time'))
    const next = end()
    if (next && next.compareDocumentPosition(post.item) & window.Node.DOCUMENT_POSITION_FOLLOWING) list.insertBefore(post.item, next)
    groupWithAbove(post.item)
    messages.follow()
  }

  /** Shows the text of a message after a change of it. Screen readers read a growing text when it is complete. */
  function change (change) {
    const item = list.querySelector(`[data-position="${change.position}"]`)
    if (!item) return
    const message = applyChange(shown.get(item), change)
    shown.set(item, message)
    item.querySelector('.text').textContent = textOf(message)
    item.ariaBusy = String(message.streaming === true)
    messages.grown()
  }

  /** Adds the item of an own post that is not stored yet. */
  function post (text, words) {
    const item = textElement('li', 'sent pending', '')
    const state = textElement('small', 'state', words)
    item.dir = 'auto'
    item.append(textElement('span', 'name', 'You'), textElement('span', 'text', text), state)
    const post = { text, item, state, waiting: true, settled: false }
    outgoing.add(post)
    messages.follow()
    messages.add(item)
    return post
  }

  function showState (post, words) {
    if (post.waiting && post.state.textContent !== words) post.state.textContent = words
  }

  /** Called when the post is stored. If its item is not settled, the message was matched to another post with the same text. */
  function stored (post) {
    if (!post.settled) post.item.remove()
    outgoing.delete(post)
  }

  function failed (given, reason, sendAgain) {
    if (!outgoing.delete(given)) return
    const failed = given.settled ? post(given.text, '') : given
    outgoing.add(failed)
    failed.waiting = false
    failed.item.classList.add('failed')
    const drop = () => {
      outgoing.delete(failed)
      failed.item.remove()
    }
    failed.state.replaceChildren(
      textElement('span', '', `${reason} `),
      textButton('Send again', () => { if (sendAgain()) drop() }),
      textButton('Discard', drop)
    )
    if (failed.item === list.lastElementChild) messages.follow()
  }

  return {
    receive,
    change,
    post,
    showState,
    stored,
    failed,
    follow: messages.follow,
    /** Replaces the messages in the list. Own posts that are not stored yet stay. */
    startOver (newest) {
      messages.show([...newest.map(draw), ...[...outgoing].filter(({ settled }) => !settled).map(({ item }) => item)])
      for (const item of list.children) groupWithAbove(item)
    },
    /** Empties the list, including own posts. */
    clear () {
      outgoing.clear()
      messages.show([])
    },
    showOlder (older) {
      const formerlyFirst = list.firstElementChild
      messages.prepend(older.map(draw))
      messages.keepScroll(() => {
        for (let item = list.firstElementChild; item && item.previousElementSibling !== formerlyFirst; item = item.nextElementSibling) groupWithAbove(item)
      })
    },
    /** Adds a note of the page itself to the messages, and removes the previous note. */
    note (words) {
      list.querySelector('.note')?.remove()
      messages.add(textElement('li', 'note', words), end())
    },
    get oldest () { return list.querySelector('[data-position]')?.dataset.position },
    get full () { return messages.full },
    get unsettled () { return [...outgoing].filter(({ settled }) => !settled) }
  }
}

function textOf ({ text, bytes, deleted, streaming, unfinished }) {
  if (bytes !== undefined) return `binary message, ${window.atob(bytes).length} bytes`
  if (unfinished) return `${text} (unfinished)`.trimStart()
  if (text !== '') return text
  return deleted ? '(deleted)' : streaming ? '…' : '(no text)'
}

function timeElement (at) {
  const date = new Date(at)
  const today = date.toDateString() === new Date().toDateString()
  const element = textElement('time', '', date.toLocaleString([], { ...today ? {} : { dateStyle: 'short' }, timeStyle: 'short' }))
  element.dateTime = at
  element.title = date.toLocaleString()
  return element
}
