// The actions of a message: reactions, copy, edit, delete.
import { build, button } from '../dom.js'
import { copyText } from './copy.js'

const REACTIONS = ['👍', '❤️', '😂', '🎉', '😮', '😢']

/**
 * @param element the popover
 * @param actions `react (item, reaction, on)`, `edit (item)`, `remove (item)` and, if frames can be shown, `inspect (item)`
 */
export function messageMenu (element, actions) {
  /** The element that gets the focus back. */
  let opener

  element.addEventListener('keydown', (event) => {
    const items = [...element.querySelectorAll('button')]
    const at = items.indexOf(document.activeElement)
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key]
    if (step === undefined) return
    event.preventDefault()
    items.at((at + step) % items.length).focus()
  })

  function item (text, act, label = text) {
    return button(text, () => {
      element.hidePopover()
      act()
    }, { role: 'menuitem', 'aria-label': label })
  }

  function open (message, row, from) {
    const reactions = REACTIONS.map((reaction) => {
      const mine = message.reactions?.some((each) => each.reaction === reaction && each.mine) === true
      return item(reaction, () => actions.react(message, reaction, !mine), `${mine ? 'Remove' : 'React with'} ${reaction}`)
    })
    element.replaceChildren(build('div', { className: 'quick', role: 'group', 'aria-label': 'React' }, ...reactions))
    if (message.text !== undefined) element.append(item('Copy text', () => copyText(message.text)))
    if (message.own && message.text !== undefined) element.append(item('Edit', () => actions.edit(message)))
    if (message.own) element.append(item('Delete', () => actions.remove(message)))
    if (actions.inspect !== undefined) element.append(item('Show frames', () => actions.inspect(message)))
    opener = row
    element.showPopover()
    place(element, from.getBoundingClientRect())
    element.querySelector('button').focus()
  }

  element.addEventListener('toggle', ({ newState }) => {
    if (newState === 'closed' && element.contains(document.activeElement)) opener.focus()
  })

  return { open }
}

/** Puts the menu below a place, or above it if there is no room. */
function place (element, { right, top, bottom }) {
  const { offsetWidth, offsetHeight } = element
  const below = bottom + offsetHeight <= window.innerHeight
  element.style.left = `${Math.max(8, Math.min(window.innerWidth - offsetWidth - 8, right - offsetWidth))}px`
  element.style.top = `${Math.max(8, below ? bottom : top - offsetHeight)}px`
}
