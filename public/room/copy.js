import { build } from '../dom.js'

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
  const field = build('textarea', { className: 'hidden-text', value: text })
  const focused = document.activeElement
  document.body.append(field)
  field.select()
  const copied = document.execCommand('copy')
  field.remove()
  focused?.focus()
  return copied
}
