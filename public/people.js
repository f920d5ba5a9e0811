// The members that are present, and the members that are typing.
import { setText, textElement } from './dom.js'

const SHOWN_MS = 4_000
const SIGNAL_MS = 2_000

/** Returns a function that shows the members of a room, the user first. The server lists about a hundred at most. */
export function peopleList (list, heading, names) {
  return function show ({ members, count }, ownId) {
    // Before the first tag is made: a later member may have the same name.
    for (const member of members.values()) names.see(member)
    const others = [...members.values()].filter(({ id }) => id !== ownId)
      .sort((one, other) => names.label(one).localeCompare(names.label(other)))
    const self = members.get(ownId)
    const items = (self ? [self, ...others] : others).map((member) => person(member, member === self))
    if (count > members.size) items.push(textElement('li', 'more', `and ${count - members.size} more`))
    list.replaceChildren(...items)
    setText(heading, `${count} here`)
  }

  function person (member, isSelf) {
    const item = textElement('li', '', '')
    item.append(names.tag(member))
    if (isSelf) item.append(textElement('small', '', ' (you)'))
    return item
  }
}

/** Shows the members whose last typing signal is at most SHOWN_MS ms old. */
export function typingLine (element, names) {
  /** By id: the member, and the timer that removes it. */
  const typing = new Map()

  function draw () {
    setText(element, sentence([...typing.values()].map(({ member }) => names.label(member))))
  }

  function stopped (id) {
    clearTimeout(typing.get(id)?.timer)
    if (typing.delete(id)) draw()
  }

  function started (member) {
    clearTimeout(typing.get(member.id)?.timer)
    typing.set(member.id, { member, timer: setTimeout(stopped, SHOWN_MS, member.id) })
    draw()
  }

  function clear () {
    for (const id of [...typing.keys()]) stopped(id)
  }

  return { started, stopped, clear }
}

function sentence (labels) {
  if (labels.length === 0) return ''
  if (labels.length === 1) return `${labels[0]} is typing…`
  const last = labels.length > 3 ? `${labels.length - 2} others` : labels.at(-1)
  const first = labels.length > 3 ? labels.slice(0, 2) : labels.slice(0, -1)
  return `${first.join(', ')} and ${last} are typing…`
}

/** Calls `send` while the user types, at most once every SIGNAL_MS ms. */
export function typingSignal (input, send) {
  let sentAt = -Infinity
  let timer

  function signal () {
    timer = undefined
    if (input.value === '') return
    sentAt = Date.now()
    send()
  }

  input.addEventListener('input', () => {
    const wait = sentAt + SIGNAL_MS - Date.now()
    if (wait <= 0) signal()
    else timer ??= setTimeout(signal, wait)
  })
}
