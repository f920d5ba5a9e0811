// Finds and creates elements. Strings become text, never HTML: as HTML, a message could run a script in this page.

export const byId = (id) => document.getElementById(id)

// Doesn't set the same text again, because a screen reader would repeat it.
export function setText (element, text) {
  if (element.textContent !== text) element.textContent = text
}

/**
 * Returns a new element.
 * @param properties set on the element; `role` and names with a hyphen are set as attributes
 */
export function build (tag, properties = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue
    if (name === 'role' || name.includes('-')) element.setAttribute(name, value)
    else element[name] = value
  }
  element.append(...children)
  return element
}

/** Returns a button that calls `onclick`. */
export function button (text, onclick, properties = {}) {
  return build('button', { type: 'button', onclick, ...properties }, text)
}

/** Returns a link that opens in a new tab, without access to this page. */
export function externalLink (href, text) {
  return build('a', { href, target: '_blank', rel: 'noopener noreferrer' }, text)
}
