// The open rooms, with the number of unread messages of each.
import { build, button, setText } from '../dom.js'
import { keyedList } from './keyed-list.js'
import { TOO_MANY_ROOMS } from './person.js'

/** @param onChoose called after the user has chosen a room */
export function roomsColumn ({ list, form }, person, onChoose) {
  const show = keyedList(list, entry)
  const input = form.querySelector('input')

  function draw () {
    show([...person.conversations.values()].map((conversation) => ({ key: conversation.name, conversation })))
  }

  function entry ({ key: room }) {
    const badge = build('span', { className: 'badge' })
    const open = build('button', { type: 'button', onclick: () => choose(room) }, build('span', { className: 'room-name' }, room), badge)
    const leave = button('×', () => {
      person.leave(room)
      list.querySelector('[aria-current]')?.focus()
    }, { className: 'leave', 'aria-label': `Leave ${room}` })
    const element = build('li', {}, open, leave)

    function update ({ conversation }) {
      open.ariaCurrent = conversation === person.shown ? 'page' : null
      setText(badge, conversation.unread > 0 ? String(conversation.unread) : '')
      badge.ariaLabel = conversation.unread > 0 ? `${conversation.unread} unread` : null
      badge.hidden = conversation.unread === 0
      leave.hidden = person.conversations.size === 1
      element.classList.toggle('problem', conversation.problem !== undefined)
    }
    return { element, update }
  }

  function choose (room) {
    if (!person.show(room)) return false
    onChoose()
    return true
  }

  input.addEventListener('input', () => input.setCustomValidity(''))
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    if (choose(input.value.trim())) form.reset()
    else {
      input.setCustomValidity(TOO_MANY_ROOMS)
      input.reportValidity()
    }
  })
  return draw
}
