// A plain WebSocket: open, send, receive, close. The chat panel uses the typed client instead.
import { explainClose } from './close-codes.js'
import { messageList } from './message-list.js'
import { byId, setText, textElement } from './dom.js'

const USUAL_LIMIT = 64 * 1024

export function startEcho (url) {
  const status = byId('echo-status')
  const error = byId('echo-error')
  const input = byId('echo-message')
  const fileInput = byId('echo-file')
  const messages = messageList(byId('echo-log'), byId('echo-new'))
  let socket, unanswered

  function showState (state, words) {
    status.dataset.state = state
    setText(status, words)
  }

  function show (kind, ...parts) {
    const item = textElement('li', kind, '')
    item.dir = 'auto'
    item.append(...parts)
    messages.add(item)
  }

  function connect () {
    abandon(socket)
    unanswered = []
    setText(error, '')
    showState('connecting', 'Connecting…')
    socket = new WebSocket(url)
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => showState('open', 'Connected.')
    socket.onmessage = (event) => received(event.data)
    socket.onclose = closed
  }

  function disconnect () {
    if (!isOpen(socket)) return setText(error, 'Already disconnected')
    showState('connecting', 'Closing…')
    socket.close(1000, 'disconnected by the user')
  }

  function closed (event) {
    showState('closed', `${event.wasClean ? 'Closed' : 'Connection lost without a close frame'} (${explainClose(event)}).`)
  }

  function received (data) {
    // Replies arrive in the order of the messages. A greeting is not a reply.
    const sent = unanswered.shift()
    const note = sent ? `${(performance.now() - sent.at).toFixed(1)} ms` : 'unsolicited'
    const words = typeof data === 'string' ? data : describeBinary(data, sent?.bytes)
    show('received', textElement('span', 'text', words), textElement('small', '', note))
  }

  function sendOne (message, words) {
    // Displayed first, so that the measured time doesn't include rendering.
    messages.follow()
    show('sent', textElement('span', 'text', words))
    unanswered.push({ at: performance.now(), bytes: typeof message === 'string' ? undefined : message })
    socket.send(message)
  }

  async function send (event) {
    event.preventDefault()
    input.focus()
    const [file] = fileInput.files
    const bytes = await file?.arrayBuffer().catch(() => null)
    if (bytes === null) return setText(error, 'The file could not be read')
    if (!isOpen(socket)) return setText(error, 'Cannot send: the connection is closed')
    if (input.value !== '') sendOne(input.value, input.value)
    if (bytes) sendOne(bytes, `${file.name}, ${file.size} bytes`)
    input.value = fileInput.value = ''
    setText(error, '')
  }

  fileInput.onchange = () => {
    const tooLarge = fileInput.files[0]?.size > USUAL_LIMIT
    setText(error, tooLarge ? 'This file is over 64 KiB. The server will probably close the connection with code 1009.' : '')
  }
  byId('echo-form-send').onsubmit = send
  byId('echo-connect').onclick = connect
  byId('echo-disconnect').onclick = disconnect
  byId('echo-panel').hidden = false
  connect()
}

// Removes the listeners: the close event arrives later, when another socket may have replaced this one.
function abandon (socket) {
  if (!socket) return
  socket.onopen = socket.onmessage = socket.onclose = null
  socket.close()
}

// send() throws before the socket is open, and drops the message silently after it has closed.
function isOpen (socket) {
  return socket?.readyState === WebSocket.OPEN
}

function describeBinary (data, sentBytes) {
  const comparison = !sentBytes ? '' : sameBytes(data, sentBytes) ? ', identical to the sent message' : ', different from the sent message'
  return `binary message, ${data.byteLength} bytes${comparison}`
}

function sameBytes (one, other) {
  const left = new Uint8Array(one)
  const right = new Uint8Array(other)
  return left.length === right.length && left.every((byte, index) => byte === right[index])
}
