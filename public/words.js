// Words on the page. What others wrote is only ever text: as HTML, their message could run a script in this page.

// Setting the same words again would make a screen reader say them again.
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
