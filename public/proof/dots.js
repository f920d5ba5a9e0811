// Draws a numbered dot for each message of an outage. A click shows the message.
import { build, button } from '../dom.js'

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
  /** Buttons by the key of their message: a dot that stays changes its state, which is animated. */
  let buttons = new Map()

  function draw (dots) {
    const shown = dots.slice(0, MAX_DOTS)
    const kept = new Map(shown.map(({ key }) => [key, buttons.get(key) ?? button('', undefined, { className: 'dot' })]))
    if ([...kept.keys()].join() !== [...buttons.keys()].join()) {
      list.replaceChildren(...[...kept.values()].map((each) => build('li', {}, each)))
      if (dots.length > shown.length) list.append(build('li', {}, `and ${dots.length - shown.length} more`))
    }
    buttons = kept
    shown.forEach((dot, index) => show(kept.get(dot.key), dot, index))
    element.hidden = dots.length === 0
    const states = Object.keys(meanings).filter((state) => dots.some((dot) => dot.state === state))
    legend.replaceChildren(...states.map((state) =>
      build('span', {}, build('span', { className: 'dot', 'data-state': state, 'aria-hidden': 'true' }), meanings[state])))
  }

  function show (element, { state, text = '', position }, index) {
    element.textContent = index + 1
    element.dataset.state = state
    element.title = `${text.slice(0, 100)} (${meanings[state]})`
    element.setAttribute('aria-label', `Message ${index + 1}: ${element.title}`)
    element.style.setProperty('--index', index)
    element.onclick = () => { if (state === 'stored') onClick(position) }
  }

  return { element, draw }
}
