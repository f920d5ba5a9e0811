const HISTORY = 50
const LONGEST_LIST = 500
const FIRST_WAIT = 2_000
const LONGEST_WAIT = 30_000
const STABLE_AFTER = 10_000
const USUAL_ECHO_LIMIT = 64 * 1024

const finalCloses = {
  1008: 'a rule of the server was broken',
  1009: 'the message was too large',
  4400: 'the server could not understand a message',
  4401: 'you are not signed in',
  4403: 'you are not allowed in',
  4408: 'the server waited too long'
}
const otherCloses = {
  1000: 'a normal end',
  1001: 'the server is going away',
  1005: 'no code was given',
  1011: 'the server had an error',
  1012: 'the server is restarting',
  1013: 'the server is busy',
  4429: 'too much at once'
}

const byId = (id) => document.getElementById(id)

function explainClose ({ code, reason }) {
  const meaning = finalCloses[code] ?? otherCloses[code]
  return `code ${code}` + (meaning ? `, ${meaning}` : '') + (reason ? `: ${reason}` : '')
}

function socketUrl (path) {
  const url = new URL(path, window.location.href)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  return url
}

function openSocket (url, { opened, received, closed }) {
  const socket = new WebSocket(url)
  socket.binaryType = 'arraybuffer'
  socket.onopen = opened
  socket.onmessage = (event) => received(event.data)
  socket.onclose = closed
  return socket
}

// Its close event comes later, when another socket may already be in its place.
function abandon (socket) {
  if (!socket) return
  socket.onopen = socket.onmessage = socket.onclose = null
  socket.close()
}

// send() throws before the socket is open, and loses the message without a word after it has closed.
function isOpen (socket) {
  return socket?.readyState === WebSocket.OPEN
}

// Setting the same words again would make a screen reader say them again.
function say (element, words) {
  if (element.textContent !== words) element.textContent = words
}

// What others wrote is only ever text: as HTML, their message could run a script in this page.
function textElement (tag, text) {
  const element = document.createElement(tag)
  element.textContent = text
  return element
}

function messageList (list, newMessages) {
  const scroller = list.parentElement
  let following = true
  let lastTop = 0

  scroller.onscroll = () => {
    const atBottom = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 32
    // Only the reader scrolls up; a list that got lower leaves the bottom too.
    if (atBottom || scroller.scrollTop < lastTop) following = atBottom
    if (following) newMessages.hidden = true
    lastTop = scroller.scrollTop
  }
  newMessages.onclick = () => {
    scroller.focus()
    follow()
  }

  new window.ResizeObserver(() => { if (following) follow() }).observe(scroller)

  function follow () {
    following = true
    newMessages.hidden = true
    scroller.scrollTop = scroller.scrollHeight
  }

  function add (kind, ...parts) {
    const item = document.createElement('li')
    item.className = kind
    item.dir = 'auto'
    item.append(...parts)
    list.append(item)
    if (list.children.length > LONGEST_LIST) list.firstChild.remove()
    if (following) follow()
    else newMessages.hidden = false
  }

  function clear () {
    list.replaceChildren()
    follow()
    // The history that follows has been read aloud before.
    scroller.ariaLive = 'off'
    setTimeout(() => { scroller.ariaLive = 'polite' }, 1_000)
  }

  return { add, clear, follow }
}

function startChat (url, defaultRoom) {
  const connectForm = byId('chat-form-connect')
  const status = byId('chat-status')
  const countdown = byId('chat-countdown')
  const error = byId('chat-error')
  const input = byId('chat-message')
  const reconnectNow = byId('reconnect-now')
  const messages = messageList(byId('chat-log'), byId('chat-new'))
  let socket, place, openedAt, retryTimer
  let failures = 0

  function showState (state, words) {
    status.dataset.state = state
    say(byId('chat-state'), words)
    countdown.textContent = ''
    if (document.activeElement === reconnectNow) input.focus()
    reconnectNow.hidden = state !== 'waiting'
  }

  function enterRoom () {
    if (!connectForm.reportValidity()) return showState('closed', 'Not connected: the room or the name needs a change.')
    place = new URLSearchParams(new FormData(connectForm))
    if (!place.get('name')) place.delete('name')
    window.history.replaceState(null, '', `?${place}`)
    failures = 0
    connect()
  }

  function connect () {
    clearTimeout(retryTimer)
    abandon(socket)
    openedAt = undefined
    showState('connecting', `Connecting to ${place.get('room')}…`)
    url.search = `${place}&history=${HISTORY}&self=1`
    socket = openSocket(url, { opened, received, closed })
  }

  function opened () {
    openedAt = Date.now()
    messages.clear()
    say(error, '')
    const name = place.get('name')
    showState('open', `Connected to ${place.get('room')}${name ? ` as ${name}` : ', without a name'}.`)
  }

  function received (data) {
    if (typeof data !== 'string') return messages.add('received', textElement('span', `binary message, ${data.byteLength} bytes`))
    const [, from = '', text] = data.match(/^([^:]{1,32})(: .*)$/s) ?? [data, '', data]
    // A plain message carries no identity: whoever takes your name looks like you.
    const kind = from && from === place.get('name') ? 'sent' : 'received'
    messages.add(kind, textElement('bdi', from), textElement('span', text))
  }

  function closed (event) {
    if (event.code in finalCloses) {
      return showState('closed', `Disconnected (${explainClose(event)}). Trying again by itself would not help.`)
    }
    // A refusal over HTTP, whatever its status, and a server that is not there look the same to a page.
    if (!openedAt && error.textContent === '') say(error, 'The browser does not say why. The server may be down, or it refused the room, the name or this page.')
    if (Date.now() - openedAt > STABLE_AFTER) failures = 0
    showState('waiting', `${openedAt ? 'Connection lost' : 'Could not connect'} (${explainClose(event)}). Trying again`)
    // Full jitter: were every page to wait equally long, a server that comes back would be met by all of them at once.
    const wait = Math.random() * Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** failures++)
    countDownTo(Date.now() + wait)
  }

  function countDownTo (time) {
    const left = time - Date.now()
    if (left <= 0) return connect()
    countdown.textContent = ` in ${Math.ceil(left / 1_000)} s…`
    retryTimer = setTimeout(countDownTo, left % 1_000 || 1_000, time)
  }

  function send (event) {
    event.preventDefault()
    input.focus()
    if (input.value === '') return
    if (!isOpen(socket)) return say(error, 'Cannot send because the WebSocket is closed')
    // It is on the list once it comes back: until then nobody knows that it has arrived.
    socket.send(input.value)
    input.value = ''
    say(error, '')
    messages.follow()
  }

  connectForm.onsubmit = (event) => {
    event.preventDefault()
    enterRoom()
  }
  byId('chat-form-send').onsubmit = send
  reconnectNow.onclick = connect
  window.addEventListener('online', () => {
    if (status.dataset.state === 'waiting') connect()
  })

  const asked = new URLSearchParams(window.location.search)
  byId('room').value = asked.get('room') ?? defaultRoom
  byId('name').value = asked.get('name') ?? ''
  byId('chat-panel').hidden = false
  enterRoom()
}

function startEcho (url) {
  const status = byId('echo-status')
  const error = byId('echo-error')
  const input = byId('echo-message')
  const fileInput = byId('echo-file')
  const messages = messageList(byId('echo-log'), byId('echo-new'))
  let socket, unanswered

  function showState (state, words) {
    status.dataset.state = state
    say(status, words)
  }

  function connect () {
    abandon(socket)
    unanswered = []
    say(error, '')
    showState('connecting', 'Connecting…')
    socket = openSocket(url, { opened: () => showState('open', 'Connected.'), received, closed })
  }

  function disconnect () {
    if (!isOpen(socket)) return say(error, 'There is no open WebSocket to close')
    showState('connecting', 'Closing…')
    socket.close(1000, 'the reader pressed Disconnect')
  }

  function closed (event) {
    showState('closed', `${event.wasClean ? 'Closed cleanly' : 'Broken, without a closing handshake'} (${explainClose(event)}).`)
  }

  function received (data) {
    // Answers come in the order of the questions; a greeting answers nothing.
    const sent = unanswered.shift()
    const note = sent ? `${(performance.now() - sent.at).toFixed(1)} ms` : 'unasked'
    const words = typeof data === 'string' ? data : describeBinary(data, sent?.bytes)
    messages.add('received', textElement('span', words), textElement('small', note))
  }

  function describeBinary (data, sentBytes) {
    const comparison = !sentBytes ? '' : sameBytes(data, sentBytes) ? ', identical to what was sent' : ', not what was sent'
    return `binary message, ${data.byteLength} bytes${comparison}`
  }

  function sendOne (message, words) {
    // Drawn first, so that the time of drawing isn't taken for the time on the way.
    messages.follow()
    messages.add('sent', textElement('span', words))
    unanswered.push({ at: performance.now(), bytes: typeof message === 'string' ? undefined : message })
    socket.send(message)
  }

  async function send (event) {
    event.preventDefault()
    input.focus()
    const [file] = fileInput.files
    const bytes = await file?.arrayBuffer().catch(() => null)
    if (bytes === null) return say(error, 'This file could not be read')
    if (!isOpen(socket)) return say(error, 'Cannot send because the WebSocket is closed')
    if (input.value !== '') sendOne(input.value, input.value)
    if (bytes) sendOne(bytes, `${file.name}, ${file.size} bytes`)
    input.value = fileInput.value = ''
    say(error, '')
  }

  fileInput.onchange = () => {
    const tooLarge = fileInput.files[0]?.size > USUAL_ECHO_LIMIT
    say(error, tooLarge ? 'This file is over 64 KiB. The server will probably close the connection with code 1009.' : '')
  }
  byId('echo-form-send').onsubmit = send
  byId('echo-connect').onclick = connect
  byId('echo-disconnect').onclick = disconnect
  byId('echo-panel').hidden = false
  connect()
}

function sameBytes (one, other) {
  const left = new Uint8Array(one)
  const right = new Uint8Array(other)
  return left.length === right.length && left.every((byte, index) => byte === right[index])
}

async function loadConfig () {
  const response = await fetch('config.json')
  if (!response.ok) throw new Error(`the server answered ${response.status}`)
  return response.json()
}

try {
  const { chat, echo, room } = await loadConfig()
  if (chat) startChat(socketUrl(chat), room)
  if (echo) startEcho(socketUrl(echo))
  if (!chat && !echo) say(byId('page-error'), 'Chat and echo are both switched off on this server.')
} catch (error) {
  say(byId('page-error'), `This page could not load its config.json: ${error.message}. Reload to try again.`)
}
