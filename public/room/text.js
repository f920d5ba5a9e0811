// Shows the text of a message: links, code, and emoji that stand alone. Everything else is shown as it was written.
import { build, externalLink } from '../dom.js'

/** Code in a block, code in a line, or a link. A link ends before the punctuation of its sentence. */
const special = /```(?:[\w+#-]*\n)?(?<block>[\s\S]+?)\n?```|`(?<code>[^`\n]+)`|(?<link>https?:\/\/[^\s<>"`]+[^\s<>"'`.,;:!?)\]])/g
const emoji = '\\p{RGI_Emoji}'
const emojiOnly = new RegExp(`^(?:${emoji}\\s*){1,3}$`, 'v')

/** Fills the element with the text of a message. */
export function showText (element, text) {
  element.replaceChildren(...partsOf(text))
  element.classList.toggle('large', text.length <= 64 && emojiOnly.test(text))
}

function * partsOf (text) {
  let end = 0
  for (const { 0: whole, index, groups } of text.matchAll(special)) {
    if (index > end) yield text.slice(end, index)
    end = index + whole.length
    if (groups.link !== undefined) yield externalLink(groups.link, groups.link)
    else if (groups.block !== undefined) yield build('pre', {}, groups.block)
    else yield build('code', {}, groups.code)
  }
  if (end < text.length) yield text.slice(end)
}

/** Returns the text that is shown for a message. */
export function textOf ({ text, bytes, deleted, streaming, unfinished }) {
  if (bytes !== undefined) return `binary message, ${window.atob(bytes).length} bytes`
  if (unfinished) return `${text} (unfinished)`.trimStart()
  if (text !== '') return text
  return deleted ? '(deleted)' : streaming ? '…' : '(no text)'
}
