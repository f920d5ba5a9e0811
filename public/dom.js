// Elements with text. Messages of others are only set as text: as HTML, they could run a script in this page.

// Setting the same text again would make a screen reader repeat it.
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
