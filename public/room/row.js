// One line of the message list: a message, the begin of a day, or the begin of the unread messages.
import { textElement } from '../dom.js'
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
  const element = textElement('li', 'row', '')
  const who = textElement('span', 'who', '')
  const text = textElement('div', 'text', '')
  const body = textElement('div', 'body', '')
  const meta = textElement('span', 'meta', '')
  const state = textElement('span', 'state', '')
  const time = document.createElement('time')
  const more = textElement('button', 'more', '⋯')
  const reactions = reactionButtons((reaction, on) => actions.react(item, reaction, on))
  let item, continued, author
  text.dir = 'auto'
  element.tabIndex = more.tabIndex = -1
  more.type = 'button'
  more.ariaLabel = 'Actions'
  more.ariaHasPopup = 'menu'
  more.onclick = () => actions.openMenu(item, element, more)
  body.append(text, reactions.element)
  meta.append(state, time)
  element.append(who, body, meta, more)

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
  if (isServer) return [textElement('span', 'name', 'Server')]
  if (from === null) return [textElement('span', 'name', 'You')]
  const tag = names.tag(from)
  if (own) tag.append(textElement('span', 'hidden-text', ' (you)'))
  return [names.face(from), tag]
}

function showTime (element, at) {
  const date = new Date(at)
  element.textContent = timeFormat.format(date)
  element.dateTime = at
  element.title = fullFormat.format(date)
}

function dayRow ({ at }) {
  const element = textElement('li', 'divider day', '')
  const time = textElement('time', '', dayWords(new Date(at)))
  time.dateTime = at.slice(0, 10)
  element.append(time)
  return { element, update () {} }
}

function dayWords (date) {
  const day = date.toDateString()
  if (day === new Date().toDateString()) return 'Today'
  if (day === new Date(Date.now() - DAY).toDateString()) return 'Yesterday'
  return dayFormat.format(date) + (date.getFullYear() === new Date().getFullYear() ? '' : `, ${date.getFullYear()}`)
}

function unreadRow () {
  return { element: textElement('li', 'divider unread', 'New since you left'), update () {} }
}
