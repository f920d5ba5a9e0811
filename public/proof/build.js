// Creates elements. Children that are strings become text, never HTML: they may contain what other people wrote.

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
