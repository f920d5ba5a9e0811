// The chat panel, on the typed client: it reconnects, resumes and sends again by itself, and this shows it.
import { ChatClient } from './lib/client/index.js'
import { normalizeName } from './lib/protocol.js'
import { chatMessages } from './chat-messages.js'
import { connectionStatus } from './connection-status.js'
import { nameTags } from './names.js'
import { olderMessages } from './older-messages.js'
import { peopleList, typingLine, typingSignal } from './people.js'
import { keptSession } from './session.js'
import { say } from './words.js'

const HISTORY = 50
const FIRST_WAIT = 2_000
const MOST_WAITING = 100

const byId = (id) => document.getElementById(id)

export function startChat (url, defaultRoom) {
  const panel = byId('chat-panel')
  const connectForm = byId('chat-form-connect')
  const error = byId('chat-error')
  const input = byId('chat-message')
  const people = byId('chat-people')
  const session = keptSession(`fastify-chat ${url.pathname}`)
  const names = nameTags(panel)
  const showPeople = peopleList(people, byId('chat-count'), names)
  const typing = typingLine(byId('chat-typing'), names)
  const status = connectionStatus(() => client?.reconnect())
  const isOwn = (id) => id === self?.id
  const messages = chatMessages({ list: byId('chat-log'), newMessages: byId('chat-new'), names, isOwn, reachedTop: () => older.load() })
  const older = olderMessages(messages, (before) => live && room.history(before, HISTORY), (words) => say(error, words))
  /** Of the last Connect: where one wants to be, the client, and its room once it has been joined. */
  let place, client, entering, room
  /** Who the server says one is; whether the room is joined just now. */
  let self, live

  function enterRoom () {
    const wanted = readForm()
    if (!connectForm.reportValidity()) return status.show('closed', 'Not connected: the room or the name needs a change.')
    leave()
    if (wanted.room !== place?.room) messages.clear()
    place = wanted
    window.history.replaceState(null, '', `?${new URLSearchParams({ room: place.room, ...place.name && { name: place.name } })}`)

    client = new ChatClient(url.href, { name: place.name, session: session.of(place.name), minDelay: FIRST_WAIT, queue: MOST_WAITING })
    // What a client says that is no longer the panel's own, nobody hears.
    const current = client
    const hear = (heard) => (event) => { if (client === current) heard(event) }
    client.on('status', hear(showStatus))
    client.on('error', hear(({ message }) => say(error, `The server says: ${message}`)))
    entering = client.join(place.room, { history: HISTORY })
    entering.then((entered) => listen(entered, hear), hear(refuse))
    showStatus(client.status)
  }

  function leave () {
    const former = client
    client = room = undefined
    live = false
    former?.close()
  }

  function listen (entered, hear) {
    entered.on('joined', hear((event) => {
      room = entered
      joined(event)
    }))
    entered.on('message', hear(received))
    entered.on('presence', hear(() => showPeople(entered, self.id)))
    entered.on('typing', hear((identity) => { if (!isOwn(identity.id)) typing.heard(identity) }))
    entered.on('left', hear(refuse))
  }

  /** The room can't be joined, or no longer; one that was closed has been told so. */
  function refuse ({ code, message }) {
    if (code === 'closed') return
    leave()
    status.show('closed', `Not connected: ${message}.`)
    showAway()
  }

  function showStatus (now) {
    const wasLive = live
    if (now.state === 'connecting') status.show('connecting', `Connecting to ${place.room}…`)
    if (now.state === 'online') {
      self = now.member
      session.hold(place.name, now.session)
    }
    if (now.state === 'waiting') {
      status.lost(now, wasLive)
      // A refusal over HTTP, whatever its status, and a server that is not there look the same to a page.
      if (!wasLive && error.textContent === '') say(error, 'The browser does not say why. The server may be down, or it refused this page.')
    }
    if (now.state === 'closed') status.ended(now)
    showAway()
  }

  function showAway () {
    live = false
    typing.clear()
    people.classList.add('stale')
    tellWaiting()
  }

  function joined ({ again, complete, messages: given }) {
    live = true
    say(error, '')
    status.show('open', `Connected to ${place.room}${self.name ? ` as ${self.name}` : ', without a name'}.`)
    showPeople(room, self.id)
    people.classList.remove('stale')
    if (again && complete) {
      messages.note(meanwhile(given.filter(({ from }) => !from || !isOwn(from.id)).length))
      for (const message of given) messages.receive(message)
    } else {
      messages.startOver(given)
      older.startOver(given.length, HISTORY)
      if (again) messages.note('Some messages are gone: this is the newest.')
    }
    tellWaiting()
  }

  function received (message) {
    if (message.from) typing.stopped(message.from.id)
    messages.receive(message)
    older.check()
  }

  function send (event) {
    event.preventDefault()
    input.focus()
    if (input.value !== '' && post(input.value)) input.value = ''
  }

  /** Whether it could be taken on. */
  function post (text) {
    const problem = client === undefined || client.status.state === 'closed'
      ? 'Cannot send because the WebSocket is closed'
      : messages.unsettled.length >= MOST_WAITING ? `${MOST_WAITING} messages are waiting already` : ''
    say(error, problem)
    if (problem !== '') return false
    const own = messages.post(text, onItsWay())
    entering.then((entered) => entered.post(text)).then(
      () => messages.stored(own),
      (reason) => messages.failed(own, explainFailure(reason), () => post(text)))
    return true
  }

  function onItsWay () { return live ? 'Sending…' : 'Waiting for the connection: will be sent' }

  function tellWaiting () {
    for (const own of messages.unsettled) messages.say(own, onItsWay())
  }

  function readForm () {
    const { room: roomInput, name: nameInput } = connectForm.elements
    const name = nameInput.value.trim()
    const wrong = name !== '' && normalizeName(name) === undefined
    nameInput.setCustomValidity(wrong ? 'At most 32 characters, all of them visible' : '')
    return { room: roomInput.value, name }
  }

  connectForm.onsubmit = (event) => {
    event.preventDefault()
    enterRoom()
  }
  connectForm.oninput = readForm
  byId('chat-form-send').onsubmit = send
  typingSignal(input, () => { if (live) room.typing() })
  window.addEventListener('online', () => client?.reconnect())

  const asked = new URLSearchParams(window.location.search)
  connectForm.elements.room.value = asked.get('room') ?? defaultRoom
  connectForm.elements.name.value = asked.get('name') ?? ''
  panel.hidden = false
  enterRoom()
}

function meanwhile (count) {
  if (count === 0) return 'You missed nothing.'
  return count === 1 ? '1 message came meanwhile.' : `${count} messages came meanwhile.`
}

/** Where only the answer was lost, the message may have been stored all the same. */
function explainFailure ({ code, message }) {
  if (code === 'closed') return 'Not acknowledged: the connection was closed.'
  return `${code === 'stale_post' ? 'Not acknowledged' : 'Not sent'}: ${message}.`
}
