/** Copies a text. Resolves with whether it could: pages without TLS have no clipboard in some browsers. */
export async function copyText (text) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return copySelected(text)
  }
}

function copySelected (text) {
  const field = document.createElement('textarea')
  const focused = document.activeElement
  field.className = 'hidden-text'
  field.value = text
  document.body.append(field)
  field.select()
  const copied = document.execCommand('copy')
  field.remove()
  focused?.focus()
  return copied
}
