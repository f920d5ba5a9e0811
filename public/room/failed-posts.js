// Refused posts, as one line above the field. Opened, it shows each of them.
import { setText, textButton, textElement } from '../dom.js'

/** @param actions `send (text)` and `write (text)`, which puts a text into the field; both return nothing */
export function failedPosts (element, person, actions) {
  const [summary, list] = [element.querySelector('summary'), element.querySelector('ul')]
  let shown = []

  function draw () {
    const { failed } = person
    if (failed.length === shown.length && failed.every((post, i) => post === shown[i])) return
    shown = failed
    const hadFocus = element.contains(document.activeElement)
    element.hidden = failed.length === 0
    if (failed.length > 0) setText(summary, `${failed.length === 1 ? '1 message was' : `${failed.length} messages were`} not sent: ${explain(failed[0])}`)
    list.replaceChildren(...failed.map(row), allRow(failed))
    if (hadFocus) (element.hidden ? actions.focusField() : summary.focus())
  }

  function row (post) {
    const item = textElement('li', '', '')
    item.append(
      textElement('span', 'text', post.text),
      textElement('small', '', explain(post)),
      textButton('Send again', () => actions.send(person.takeFailed(post).text)),
      textButton('Edit', () => actions.write(person.takeFailed(post).text)),
      textButton('Discard', () => person.takeFailed(post))
    )
    item.firstChild.dir = 'auto'
    return item
  }

  function allRow (failed) {
    const item = textElement('li', 'all', '')
    if (failed.length > 1) {
      item.append(
        textButton('Send all again', () => { for (const post of failed) actions.send(person.takeFailed(post).text) }),
        textButton('Discard all', () => { for (const post of failed) person.takeFailed(post) })
      )
    }
    return item
  }

  return { draw }
}

/** "May have been sent": the message may be stored, because only the answer may be lost. */
function explain ({ code, message }) {
  if (code === 'stale_post' || code === 'unknown') return `it may have been sent (${message})`
  if (code === 'muted') return `you are muted (${message.replace(/^muted: /, '')})`
  return message
}
