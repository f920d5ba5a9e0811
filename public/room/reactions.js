// The reactions below a message, as buttons that add or remove one's own.
import { build, button } from '../dom.js'

/** @param toggle called with a reaction, and whether to add it */
export function reactionButtons (toggle) {
  const element = build('div', { className: 'reactions' })
  let shown

  function reactionButton ({ reaction, count, mine = false }) {
    const element = button(reaction, () => toggle(reaction, !mine), { 'aria-pressed': mine, 'aria-label': `${reaction}, ${count}` })
    element.append(build('span', { className: 'count' }, count))
    return element
  }

  return {
    element,
    show ({ reactions }) {
      if (reactions === shown) return
      shown = reactions
      const focused = [...element.children].indexOf(document.activeElement)
      element.replaceChildren(...(reactions ?? []).map(reactionButton))
      element.children[focused]?.focus()
    }
  }
}
