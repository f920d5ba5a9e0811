// Refused posts, as one line above the field. Opened, it shows each of them.
import { build, button, setText } from '../dom.js'

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
    return build('li', {},
      build('span', { className: 'text', dir: 'auto' }, post.text),
      build('small', {}, explain(post)),
      button('Send again', () => actions.send(person.takeFailed(post).text)),
      button('Edit', () => actions.write(person.takeFailed(post).text)),
      button('Discard', () => person.takeFailed(post)))
  }

  function allRow (failed) {
    if (failed.length < 2) return build('li')
    return build('li', {},
      button('Send all again', () => { for (const post of failed) actions.send(person.takeFailed(post).text) }),
      button('Discard all', () => { for (const post of failed) person.takeFailed(post) }))
  }

  return { draw }
}

/** "May have been sent": the message may be stored, because only the answer may be lost. */
function explain ({ code, message }) {
  if (code === 'stale_post' || code === 'unknown') return `it may have been sent (${message})`
  if (code === 'muted') return `you are muted (${message.replace(/^muted: /, '')})`
  return message
}
