// The messages of a room as items of a list, each once: others', one's own, and own ones on their way.
import { messageList } from './message-list.js'
import { textButton, textElement } from './words.js'

const SAME_BREATH = 5 * 60_000
const SERVER = { id: '', name: 'Server' }

/** @param isOwn whether a member id is one's own */
export function chatMessages ({ list, newMessages, names, isOwn, reachedTop }) {
  const messages = messageList(list, newMessages, reachedTop)
  /** Own posts that are not settled, in the order they were made. They stand at the end of the list. */
  const outgoing = new Set()

  /** The first item that is not a message of the room yet. */
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
    item.append(
      own ? textElement('span', 'name', 'You') : names.tag({ id, name }),
      textElement('span', 'text', wordsOf(message)),
      timeElement(at)
    )
    return item
  }

  /** One that goes on from the message above doesn't show the name again; it is still there for a screen reader. */
  function joinToAbove (item) {
    const above = item?.previousElementSibling
    const goesOn = above?.dataset.from === item?.dataset.from && item?.dataset.at - above?.dataset.at < SAME_BREATH
    item?.classList.toggle('goes-on', goesOn)
  }

  function receive (message) {
    // Which of one's posts it is, only the acknowledgement says, which comes next: until then the words must do.
    const own = message.from && isOwn(message.from.id)
    const post = own && [...outgoing].find((each) => each.waiting && each.text === message.text)
    if (post) return become(post, message)
    const item = draw(message)
    messages.add(item, end())
    joinToAbove(item)
  }

  function become (post, message) {
    const item = draw(message)
    post.settled = true
    post.waiting = false
    post.item.dataset.position = message.position
    post.item.dataset.from = message.from.id
    post.item.dataset.at = item.dataset.at
    post.item.classList.remove('pending')
    post.state.replaceWith(item.querySelector('time'))
    const next = end()
    if (next && next.compareDocumentPosition(post.item) & window.Node.DOCUMENT_POSITION_FOLLOWING) list.insertBefore(post.item, next)
    joinToAbove(post.item)
    messages.follow()
  }

  /** An own message that is not stored yet. */
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

  function say (post, words) {
    if (post.waiting && post.state.textContent !== words) post.state.textContent = words
  }

  /** If another message of the same words took its item, that stands for one of the two, and the other has its own. */
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
    post,
    say,
    stored,
    failed,
    follow: messages.follow,
    /** Throws the view away for these messages; own ones that are on their way stay. */
    startOver (newest) {
      messages.show([...newest.map(draw), ...[...outgoing].filter(({ settled }) => !settled).map(({ item }) => item)])
      for (const item of list.children) joinToAbove(item)
    },
    /** Forgets own ones too. */
    clear () {
      outgoing.clear()
      messages.show([])
    },
    showOlder (older) {
      const formerlyFirst = list.firstElementChild
      messages.prepend(older.map(draw))
      messages.keepPlace(() => {
        for (let item = list.firstElementChild; item && item.previousElementSibling !== formerlyFirst; item = item.nextElementSibling) joinToAbove(item)
      })
    },
    /** A line of the page's own among the messages; there is one at most. */
    note (words) {
      list.querySelector('.note')?.remove()
      messages.add(textElement('li', 'note', words), end())
    },
    get oldest () { return list.querySelector('[data-position]')?.dataset.position },
    get full () { return messages.full },
    get unsettled () { return [...outgoing].filter(({ settled }) => !settled) }
  }
}

function wordsOf ({ text, bytes }) {
  if (bytes !== undefined) return `binary message, ${window.atob(bytes).length} bytes`
  return text === '' ? '(no text)' : text
}

function timeElement (at) {
  const date = new Date(at)
  const today = date.toDateString() === new Date().toDateString()
  const element = textElement('time', '', date.toLocaleString([], { ...today ? {} : { dateStyle: 'short' }, timeStyle: 'short' }))
  element.dateTime = at
  element.title = date.toLocaleString()
  return element
}
