// Draws a numbered dot for each message of an outage. A click shows the message.
import { build, button, setText } from '../dom.js'
import { keyedList } from '../room/keyed-list.js'

const MAX_DOTS = 40

const meanings = {
  stored: 'stored, and arrived here',
  missed: 'stored on the server, not received here yet',
  pending: 'waiting for acknowledgement',
  failed: 'failed'
}

/**
 * Returns a list of dots with its legend, and a function that draws them.
 * @param onClick called with the position of a message that has arrived
 */
export function dotList (onClick) {
  const list = build('ol', { className: 'dots', 'aria-label': 'Messages since the connection was broken' })
  const legend = build('p', { className: 'legend' })
  const element = build('div', { hidden: true }, list, legend)
  // A dot that stays changes its state, which is animated.
  const show = keyedList(list, ({ more }) => more === undefined ? dotItem(onClick) : moreItem())

  function draw (dots) {
    const lines = dots.slice(0, MAX_DOTS).map((dot, index) => ({ ...dot, index }))
    if (dots.length > lines.length) lines.push({ key: 'more', more: dots.length - lines.length })
    show(lines)
    element.hidden = dots.length === 0
    const states = Object.keys(meanings).filter((state) => dots.some((dot) => dot.state === state))
    legend.replaceChildren(...states.map((state) =>
      build('span', {}, build('span', { className: 'dot', 'data-state': state, 'aria-hidden': 'true' }), meanings[state])))
  }

  return { element, draw }
}

function dotItem (onClick) {
  const dot = button('', undefined, { className: 'dot' })

  function update ({ index, state, text = '', position }) {
    dot.textContent = index + 1
    dot.dataset.state = state
    dot.title = `${text.slice(0, 100)} (${meanings[state]})`
    dot.setAttribute('aria-label', `Message ${index + 1}: ${dot.title}`)
    dot.style.setProperty('--index', index)
    dot.onclick = () => { if (state === 'stored') onClick(position) }
  }

  return { element: build('li', {}, dot), update }
}

function moreItem () {
  const element = build('li')
  return { element, update ({ more }) { setText(element, `and ${more} more`) } }
}
