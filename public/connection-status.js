// Shows the status of the connection, with a countdown to the next attempt.
import { explainClose } from './close-codes.js'
import { byId, setText } from './dom.js'

/** @param retry called when the user requests an immediate reconnect */
export function connectionStatus (retry) {
  const status = byId('chat-status')
  const countdown = byId('chat-countdown')
  const retryNow = byId('reconnect-now')
  let timer

  function show (state, words) {
    clearTimeout(timer)
    status.dataset.state = state
    setText(byId('chat-state'), words)
    countdown.textContent = ''
    if (document.activeElement === retryNow) byId('chat-message').focus()
    retryNow.hidden = state !== 'waiting'
  }

  function countDownTo (time) {
    const left = Math.max(0, time - Date.now())
    countdown.textContent = ` in ${Math.ceil(left / 1_000)} s…`
    if (left > 0) timer = setTimeout(countDownTo, left % 1_000 || 1_000, time)
  }

  retryNow.onclick = retry
  return {
    show,
    lost (end, wasOpen) {
      show('waiting', `${wasOpen ? 'Connection lost' : 'Could not connect'} (${explainClose(end)}). Retrying`)
      countDownTo(Date.now() + end.retryIn)
    },
    ended: (end) => show('closed', `Disconnected (${explainClose(end)}). The page will not reconnect.`)
  }
}
