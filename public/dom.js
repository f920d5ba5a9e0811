// Finds elements, and creates elements with text. Messages are only set as text. As HTML, a message could run a script in this page.

export const byId = (id) => document.getElementById(id)

// Doesn't set the same text again, because a screen reader would repeat it.
export function setText (element, text) {
  if (element.textContent !== text) element.textContent = text
}

export function textElement (tag, className, text) {
  const element = document.createElement(tag)
  element.className = className
  element.textContent = text
  return element
}

export function textButton (text, onClick) {
  const button = textElement('button', '', text)
  button.type = 'button'
  button.onclick = onClick
  return button
}
