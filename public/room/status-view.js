// Shows the state of the connection as one word in the header, and a problem as a line above the field.
import { setText } from '../dom.js'
import { describeStatus, isServerThere, isUnexplained } from './status.js'

const RESUMED_MS = 6_000

/** @param find returns the element of a class in the pane @param onReconnect called before the person connects again by the button */
export function statusView (find, person, onReconnect) {
  const [status, word, notice, text, countdown, action] =
    ['status', 'status-word', 'notice', 'notice-text', 'countdown', 'notice-action'].map(find)
  let shown, wasJoined, timer, described, resumed, resumedTimer
  let error = ''
  /** The status for which the server answers by HTTP. */
  let answered

  function draw () {
    const { status: now, wasOnline, shown: conversation } = person
    const joined = conversation?.isOpen === true
    const problem = conversation?.problem ?? (now.state === 'online' || person.error === '' ? '' : person.error)
    // The time of the next attempt is that of the first draw of a status.
    if (shown !== now || wasJoined !== joined) {
      described = describeStatus(now, wasOnline, joined, answered === now)
      if (shown !== now && isUnexplained(now)) ask(now)
      shown = now
      wasJoined = joined
    }
    status.dataset.state = conversation?.problem === undefined ? described.state : 'closed'
    setText(word, conversation?.problem === undefined ? (described.state === 'online' && resumed) || described.word : 'Not in this room')
    const lines = [error, now.state === 'online' ? problem : described.text ?? problem].filter(Boolean)
    setText(text, lines.join(' '))
    setText(action, conversation?.problem !== undefined && now.state === 'online' ? 'Join again' : described.action ?? (error ? 'Close' : ''))
    const hadFocus = document.activeElement === action
    action.hidden = action.textContent === ''
    notice.hidden = lines.length === 0
    if (hadFocus && (action.hidden || notice.hidden)) find('field').focus()
    countDown()
  }

  async function ask (status) {
    if (!await isServerThere() || person.status !== status) return
    answered = status
    described = { ...describeStatus(status, person.wasOnline, false, true), retryAt: described.retryAt }
    draw()
  }

  function countDown () {
    clearTimeout(timer)
    const left = described.retryAt === undefined ? -1 : Math.max(0, described.retryAt - Date.now())
    setText(countdown, left < 0 ? '' : ` in ${Math.ceil(left / 1_000)} s.`)
    if (left > 0) timer = setTimeout(countDown, left % 1_000 || 1_000)
  }

  action.onclick = () => {
    if (action.textContent === 'Close') setError('')
    else if (person.status.state === 'closed') person.connect()
    else if (person.status.state === 'online') person.rejoin()
    else {
      onReconnect?.()
      person.client.reconnect()
    }
  }

  function setError (next) {
    error = next
    draw()
  }

  return {
    draw,
    showError: setError,
    /** Shows for some seconds what a reconnect has brought. @param complete whether all missed messages are there */
    showResumed (missed, complete) {
      clearTimeout(resumedTimer)
      resumed = !complete ? 'Connected, messages may be missing' : missed === 0 ? 'Connected, nothing missed' : `Connected, ${missed} restored`
      resumedTimer = setTimeout(() => {
        resumed = undefined
        draw()
      }, RESUMED_MS)
      draw()
    }
  }
}
