// The messages of the shown room. The timeline bounds their number, and loads pages at both ends.
import { setText } from '../dom.js'
import { isAttentive } from './attention.js'
import { keyedList } from './keyed-list.js'
import { linesOf } from './lines.js'
import { nextFrame } from './next-frame.js'
import { rowMaker } from './row.js'
import { rowFocus } from './row-focus.js'
import { scrollPosition } from './scroll.js'

/** @param find returns the element of a class in the pane */
export function messageList (find, person, names, actions, showError) {
  const [scroller, rows, earlier, gap, older, newest, empty, toUnread] =
    ['scroller', 'rows', 'earlier', 'gap', 'older', 'newest', 'empty', 'to-unread'].map(find)
  const makeRow = rowMaker(names, actions)
  const position = scrollPosition(scroller, [earlier, rows], onScroll)
  rowFocus(scroller, actions)
  const schedule = nextFrame(draw)
  const showRows = keyedList(rows, makeRow)
  const showEarlier = keyedList(earlier, makeRow)
  let conversation
  /** Messages of others since the user has left the end of the list. */
  let missed = 0
  /** Position above the unread line that the user has seen. */
  let seenLine
  /** Whether the timeline follows its newest message. */
  let follows = true

  function draw () {
    if (person.shown === undefined) return
    if (person.shown !== conversation) startOver()
    const { items, snapshot, unreadAfter, isOpen } = conversation
    person.isAtEnd = position.following && !snapshot.hasNewer
    if (person.isAtEnd) missed = 0
    if (person.isAtEnd && isAttentive()) conversation.markRead()
    showEarlier(linesOf(snapshot.earlier ?? []))
    showRows(linesOf(items, unreadAfter, snapshot.hasOlder))
    earlier.hidden = gap.hidden = snapshot.earlier === undefined
    older.hidden = !snapshot.hasOlder
    empty.hidden = items.length > 0 || !isOpen || snapshot.hasOlder
    position.keep(!snapshot.hasNewer)
    newest.hidden = person.isAtEnd
    toUnread.hidden = !isUnreadAbove()
    setText(newest, missed > 0 ? `${missed} new ↓` : 'Newest ↓')
    if (isOpen && snapshot.hasOlder && snapshot.loading === undefined && !position.isFilled) load('loadOlder')
  }

  function startOver () {
    conversation = person.shown
    // No row stays: keys of lines, such as `unread`, are those of one room.
    showRows([])
    showEarlier([])
    missed = 0
    seenLine = undefined
    scroller.ariaLabel = `Messages in ${conversation.name}`
    follows = undefined
    position.follow()
    setFollows(true)
  }

  function onScroll ({ nearTop, nearEnd }) {
    const { timeline, snapshot } = conversation ?? {}
    if (timeline === undefined) return
    setFollows(position.following)
    if (nearTop && snapshot.hasOlder && snapshot.earlier === undefined) load('loadOlder')
    if (nearEnd && snapshot.hasNewer) load('loadNewer')
    schedule()
  }

  function setFollows (on) {
    if (follows !== on) conversation.timeline?.follow(on)
    follows = on
  }

  function load (method) {
    conversation.timeline?.[method]().catch(({ code, message }) => {
      if (!['offline', 'left', 'closed'].includes(code)) showError(`Messages could not be loaded: ${message}`)
    })
  }

  async function follow () {
    position.follow()
    setFollows(true)
    if (conversation?.snapshot.hasNewer) {
      try {
        await conversation.jumpTo()
      } catch { /* The newest message is shown anyway. */ }
      // The end of the list is that of the room now.
      draw()
      position.follow()
    }
    schedule()
  }

  const unreadLine = () => rows.querySelector('.divider.unread')

  /** Returns whether the unread line is above the visible messages, or above the loaded ones, and was not seen yet. */
  function isUnreadAbove () {
    const { hasUnreadLine, unreadAfter, snapshot } = conversation
    if (!hasUnreadLine || unreadAfter === seenLine) return false
    const line = unreadLine()
    // If there are newer messages too, it may be below the loaded ones.
    if (line === null) return snapshot.hasOlder && !snapshot.hasNewer
    const below = line.offsetTop - scroller.scrollTop
    if (below >= 0 && below < scroller.clientHeight && isAttentive()) seenLine = unreadAfter
    return below < 0
  }

  async function showUnread () {
    const { unreadAfter } = conversation
    try {
      const line = await showRow(unreadLine, unreadAfter)
      line?.nextElementSibling.focus({ preventScroll: true })
    } catch ({ code, message }) {
      if (code === 'not_kept') seenLine = unreadAfter
      showError(code === 'not_kept' ? 'The server no longer has the first new message.' : `The first new message could not be loaded: ${message}`)
    }
    schedule()
  }

  /** Shows a row, after a jump to a position if `find` returns no row yet. Resolves with the row; undefined: there is none. */
  async function showRow (find, where) {
    if (find() === null) {
      await conversation?.jumpTo(where)
      draw()
    }
    const row = find()
    if (row === null) return undefined
    position.showRow(row)
    setFollows(false)
    schedule()
    return row
  }

  older.onclick = () => load('loadOlder')
  newest.onclick = () => {
    find('field').focus()
    follow()
  }
  toUnread.onclick = showUnread
  find('drop-earlier').onclick = () => {
    conversation.timeline?.dropEarlier()
    find('field').focus()
  }
  person.changed(schedule)
  person.received((from, _message, own) => { if (from === conversation && !own && !person.isAtEnd) missed++ })
  for (const event of ['focus', 'blur']) window.addEventListener(event, () => onAttention(event === 'focus'))
  document.addEventListener('visibilitychange', () => onAttention(isAttentive()))

  function onAttention (attentive) {
    if (!attentive) conversation?.keepLine()
    schedule()
  }

  return {
    follow,
    /** Shows the message at a position, and marks it for a moment. Returns its row; undefined if the server no longer keeps it. */
    async highlight (where) {
      const row = await showRow(() => rows.querySelector(`[data-position="${window.CSS.escape(where)}"]`), where).catch(() => undefined)
      if (row === undefined) return undefined
      row.classList.remove('highlight')
      // In the next frame: a class that is added again in the same one doesn't restart the animation.
      window.requestAnimationFrame(() => row.classList.add('highlight'))
      return row
    }
  }
}
