// One line of the message list: a message, the begin of a day, or the begin of the unread messages.
import { build, button } from '../dom.js'
import { reactionButtons } from './reactions.js'
import { showText, textOf } from './text.js'

const timeFormat = new window.Intl.DateTimeFormat([], { timeStyle: 'short' })
const dayFormat = new window.Intl.DateTimeFormat([], { weekday: 'long', day: 'numeric', month: 'long' })
const fullFormat = new window.Intl.DateTimeFormat([], { dateStyle: 'full', timeStyle: 'medium' })
const DAY = 86_400_000

/**
 * Returns a function that creates lines.
 * @param actions `openMenu (item, row, button)` and `react (item, reaction, on)`
 */
export function rowMaker (names, actions) {
  return (line) => line.kind === 'message' ? messageRow(names, actions) : line.kind === 'day' ? dayRow(line) : unreadRow()
}

function messageRow (names, actions) {
  const who = build('span', { className: 'who' })
  const text = build('div', { className: 'text', dir: 'auto' })
  const state = build('span', { className: 'state' })
  const time = build('time')
  const more = button('⋯', () => actions.openMenu(item, element, more), { className: 'more', tabIndex: -1, 'aria-label': 'Actions', 'aria-haspopup': 'menu' })
  const reactions = reactionButtons((reaction, on) => actions.react(item, reaction, on))
  const element = build('li', { tabIndex: -1 },
    who,
    build('div', { className: 'body' }, text, reactions.element),
    build('span', { className: 'meta' }, state, time),
    more)
  let item, continued, author

  function update (line) {
    if (line.item === item && line.continued === continued) return
    const former = item
    ;({ item, continued } = line)
    const isServer = item.state === 'stored' && item.from === null
    if (`${item.from?.id} ${item.from?.name}` !== author) {
      author = `${item.from?.id} ${item.from?.name}`
      who.replaceChildren(...whoParts(names, item, isServer))
    }
    if (former === undefined || textOf(former) !== textOf(item)) showText(text, textOf(item))
    if (former?.at !== item.at) showTime(time, item.at)
    reactions.show(item)
    element.className = `row ${item.own ? 'own' : 'other'} ${item.state === 'stored' ? 'stored' : 'pending'}`
    element.classList.toggle('server', isServer)
    element.classList.toggle('continued', continued)
    element.classList.toggle('deleted', item.deleted === true)
    element.dataset.key = item.key
    if (item.position !== undefined) element.dataset.position = item.position
    element.ariaBusy = String(item.streaming === true)
    state.textContent = item.state !== 'stored' ? 'sending' : item.editedAt && !item.deleted ? 'edited' : ''
    more.hidden = item.state !== 'stored' || item.deleted === true
  }

  return { element, update }
}

function whoParts (names, { own, from }, isServer) {
  if (isServer) return [build('span', { className: 'name' }, 'Server')]
  if (from === null) return [build('span', { className: 'name' }, 'You')]
  const tag = names.tag(from)
  if (own) tag.append(build('span', { className: 'hidden-text' }, ' (you)'))
  return [names.face(from), tag]
}

function showTime (element, at) {
  const date = new Date(at)
  element.textContent = timeFormat.format(date)
  element.dateTime = at
  element.title = fullFormat.format(date)
}

function dayRow ({ at }) {
  const time = build('time', { dateTime: at.slice(0, 10) }, dayWords(new Date(at)))
  return { element: build('li', { className: 'divider day' }, time), update () {} }
}

function dayWords (date) {
  const day = date.toDateString()
  if (day === new Date().toDateString()) return 'Today'
  if (day === new Date(Date.now() - DAY).toDateString()) return 'Yesterday'
  return dayFormat.format(date) + (date.getFullYear() === new Date().getFullYear() ? '' : `, ${date.getFullYear()}`)
}

function unreadRow () {
  return { element: build('li', { className: 'divider unread' }, 'New since you left'), update () {} }
}
