// The tab "Echo": the server returns each message unchanged. It connects when the tab is opened.
import { build, button } from '../dom.js'
import { explainClose } from './close-codes.js'
import { closeForm } from './close-form.js'
import { openEcho } from './echo-socket.js'
import { fileField } from './file-field.js'
import { roundTrips } from './round-trips.js'

const USUAL_LIMIT = 64 * 1024
const MAX_ITEMS = 200

/** Fills the tab. @param url of the echo route */
export function echoTab ({ panel, url }) {
  const times = roundTrips()
  const state = build('p', { className: 'state', role: 'status' })
  const toggle = button('Connect', () => echo?.isOpen ? echo.close(1000, 'disconnected by the user') : connect())
  const error = build('p', { className: 'error', role: 'alert' })
  const figure = build('p', { className: 'figure' })
  const list = build('ol')
  const scroller = build('div', { className: 'echoes', tabIndex: 0, role: 'log', 'aria-label': 'Echo messages' }, list)
  const input = build('input', { autocomplete: 'off', enterKeyHint: 'send', oninput: warn })
  const files = fileField({ panel, onFile: sendFile })
  let echo

  panel.append(
    build('div', { className: 'heading' }, state, toggle),
    scroller, figure, error,
    build('form', { className: 'fields', onsubmit: sendText },
      build('label', {}, 'Text', input), build('button', { className: 'primary' }, 'Send')),
    files,
    closeForm({
      onClose: (code, reason) => attempt(() => echo.close(code, reason)),
      onBreak: () => attempt(() => echo.breakOff()),
      onTooMuch: () => attempt(() => sendOne('x'.repeat(USUAL_LIMIT + 1), `${USUAL_LIMIT + 1} bytes of text`))
    }))
  connect()

  function showState (name, words) {
    state.dataset.state = name
    state.textContent = words
    toggle.textContent = name === 'open' ? 'Disconnect' : 'Connect'
    toggle.setAttribute('aria-disabled', name === 'connecting')
  }

  function connect () {
    if (state.dataset.state === 'connecting') return
    error.textContent = ''
    showState('connecting', 'Connecting…')
    const current = openEcho(url, times, {
      onOpen: () => showState('open', 'Connected.'),
      onReply: received,
      onClose (event) {
        if (echo !== current) return
        showState('closed', `${event.wasClean ? 'Closed' : 'Connection lost'} (${explainClose(event)}). The echo doesn't reconnect by itself.`)
      }
    })
    echo = current
  }

  function received (data, sent) {
    const words = typeof data === 'string' ? data : `${data.byteLength} bytes, ${sameBytes(data, sent?.data) ? 'identical' : 'different'}`
    show('received', words, sent === undefined ? 'unsolicited' : `${sent.ms.toFixed(1)} ms`)
    figure.textContent = times.text
  }

  function show (kind, words, note) {
    const isAtEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 32
    list.append(build('li', { className: kind },
      build('span', { className: 'arrow', role: 'img', 'aria-label': kind }, kind === 'sent' ? '↑' : '↓'),
      build('span', { className: 'words', dir: 'auto' }, words.length > 500 ? `${words.slice(0, 500)}…` : words),
      build('small', {}, note)))
    if (list.children.length > MAX_ITEMS) list.firstChild.remove()
    if (isAtEnd) scroller.scrollTop = scroller.scrollHeight
  }

  function sendOne (data, words) {
    // Shown first, so that the measured time doesn't include it.
    show('sent', words, '')
    echo.send(data)
  }

  function sendText (event) {
    event.preventDefault()
    attempt(() => {
      if (input.value !== '') sendOne(input.value, input.value)
      input.value = ''
    })
    input.focus()
  }

  async function sendFile (file) {
    try {
      const bytes = await file.arrayBuffer()
      attempt(() => sendOne(bytes, `${file.name}, ${file.size} bytes`))
    } catch {
      error.textContent = 'The file could not be read.'
    }
    if (file.size > USUAL_LIMIT) warnOfSize('file')
  }

  /** Runs what needs a connection, and shows why it fails. */
  function attempt (run) {
    error.textContent = ''
    if (!echo.isOpen) {
      error.textContent = 'Not connected.'
      return
    }
    try {
      run()
    } catch ({ message }) {
      error.textContent = message
    }
  }

  function warn () {
    if (new TextEncoder().encode(input.value).length > USUAL_LIMIT) warnOfSize('text')
    else error.textContent = ''
  }

  function warnOfSize (what) {
    error.textContent = `This ${what} is over 64 KiB. Most servers close the connection with code 1009.`
  }
}

function sameBytes (one, other) {
  if (!(other instanceof ArrayBuffer)) return false
  const left = new Uint8Array(one)
  const right = new Uint8Array(other)
  return left.length === right.length && left.every((byte, index) => byte === right[index])
}
