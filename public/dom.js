// Text on the page. Messages of others are only set as text: as HTML, they could run a script in this page.

// Setting the same text again would make a screen reader repeat it.
export function say (element, words) {
  if (element.textContent !== words) element.textContent = words
}

export function textElement (tag, className, text) {
  const element = document.createElement(tag)
  element.className = className
  element.textContent = text
  return element
}

export function textButton (text, pressed) {
  const button = textElement('button', '', text)
  button.type = 'button'
  button.onclick = pressed
  return button
}
