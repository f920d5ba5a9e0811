// The reactions below a message, as buttons that add or remove one's own.
import { textButton, textElement } from '../dom.js'

/** @param toggle called with a reaction, and whether to add it */
export function reactionButtons (toggle) {
  const element = textElement('div', 'reactions', '')
  let shown

  function button ({ reaction, count, mine }) {
    const one = textButton(reaction, () => toggle(reaction, mine !== true))
    one.append(textElement('span', 'count', String(count)))
    one.ariaPressed = String(mine === true)
    one.ariaLabel = `${reaction}, ${count}`
    return one
  }

  return {
    element,
    show ({ reactions }) {
      if (reactions === shown) return
      shown = reactions
      const focused = [...element.children].indexOf(document.activeElement)
      element.replaceChildren(...(reactions ?? []).map(button))
      element.children[focused]?.focus()
    }
  }
}
