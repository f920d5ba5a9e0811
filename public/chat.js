// The chat panel. The typed client reconnects, resumes and repeats posts. This module displays the result.
import { ChatClient } from './lib/client/index.js'
import { checkName } from './lib/member-name.js'
import { chatMessages } from './chat-messages.js'
import { connectionStatus } from './connection-status.js'
import { nameTags } from './names.js'
import { olderMessages } from './older-messages.js'
import { peopleList, typingLine, typingSignal } from './people.js'
import { storedSession } from './stored-session.js'
import { byId, setText } from './dom.js'

const PAGE_SIZE = 50
const MIN_DELAY = 2_000
const MAX_WAITING = 100

export function startChat (url, defaultRoom) {
  const panel = byId('chat-panel')
  const connectForm = byId('chat-form-connect')
  const error = byId('chat-error')
  const input = byId('chat-message')
  const people = byId('chat-people')
  const session = storedSession(`fastify-chat ${url.pathname}`)
  const names = nameTags(panel)
  const showPeople = peopleList(people, byId('chat-count'), names)
  const typing = typingLine(byId('chat-typing'), names)
  const status = connectionStatus(() => client?.reconnect())
  const isOwn = (id) => id === self?.id
  const messages = chatMessages({ list: byId('chat-log'), newMessages: byId('chat-new'), names, isOwn, reachedTop: () => older.load() })
  const older = olderMessages(messages, (before) => live && room.history(before, PAGE_SIZE), (words) => setText(error, words))
  /** Set when the user connects: the room and the name, the client, the promise of its room, and the room once joined. */
  let target, client, joining, room
  /** The user's member, from the server. Whether the room is joined now. */
  let self, live

  function enterRoom () {
    const wanted = readForm()
    if (!connectForm.reportValidity()) return status.show('closed', 'Not connected: the room or the name is invalid.')
    leave()
    if (wanted.room !== target?.room) messages.clear()
    target = wanted
    window.history.replaceState(null, '', `?${new URLSearchParams({ room: target.room, ...target.name && { name: target.name } })}`)

    client = new ChatClient(url.href, { name: target.name, session: session.get(target.name), minDelay: MIN_DELAY, queue: MAX_WAITING })
    // Ignores the events of a client that has been replaced.
    const current = client
    const ifCurrent = (listener) => (event) => { if (client === current) listener(event) }
    client.on('status', ifCurrent(showStatus))
    client.on('error', ifCurrent(({ message }) => setText(error, `Error from the server: ${message}`)))
    joining = client.join(target.room, { history: PAGE_SIZE })
    joining.then((entered) => listen(entered, ifCurrent), ifCurrent(refuse))
    showStatus(client.status)
  }

  function leave () {
    const former = client
    client = room = undefined
    live = false
    former?.close()
  }

  function listen (entered, ifCurrent) {
    entered.on('joined', ifCurrent((event) => {
      room = entered
      joined(event)
    }))
    entered.on('message', ifCurrent(received))
    entered.on('changed', ifCurrent(messages.change))
    entered.on('presence', ifCurrent(() => showPeople(entered, self.id)))
    entered.on('typing', ifCurrent((member) => { if (member.on && !isOwn(member.id)) typing.started(member) }))
    entered.on('left', ifCurrent(refuse))
  }

  /** Called when a join is refused or a membership ends. The status for `closed` is already shown. */
  function refuse ({ code, message }) {
    if (code === 'closed') return
    leave()
    status.show('closed', `Not connected: ${message}.`)
    showOffline()
  }

  function showStatus (now) {
    const wasLive = live
    if (now.state === 'connecting') status.show('connecting', `Connecting to ${target.room}…`)
    if (now.state === 'online') {
      self = now.member
      session.set(target.name, now.session)
    }
    if (now.state === 'waiting') {
      status.lost(now, wasLive)
      // A page cannot distinguish a refused upgrade from an unreachable server, regardless of the HTTP status.
      if (!wasLive && error.textContent === '') setText(error, 'The server is unreachable, or it refused the connection. Browsers do not report which.')
    }
    if (now.state === 'closed') status.ended(now)
    showOffline()
  }

  function showOffline () {
    live = false
    typing.clear()
    people.classList.add('stale')
    updateWaiting()
  }

  function joined ({ again, complete, messages: given, changes = [] }) {
    live = true
    setText(error, '')
    status.show('open', `Connected to ${target.room}${self.name ? ` as ${self.name}` : ', without a name'}.`)
    showPeople(room, self.id)
    people.classList.remove('stale')
    if (again && complete) {
      messages.note(missedNote(given.filter(({ from }) => !from || !isOwn(from.id)).length))
      changes.forEach(messages.change)
      for (const message of given) messages.receive(message)
    } else {
      messages.startOver(given)
      older.startOver(given.length, PAGE_SIZE)
      if (again) messages.note('Some messages are missing. These are the newest.')
    }
    updateWaiting()
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

  /** Returns whether the message was accepted for sending. */
  function post (text) {
    const problem = client === undefined || client.status.state === 'closed'
      ? 'Cannot send: the connection is closed'
      : messages.unsettled.length >= MAX_WAITING ? `Cannot send: ${MAX_WAITING} messages are already waiting` : ''
    setText(error, problem)
    if (problem !== '') return false
    const own = messages.post(text, pendingText())
    joining.then((entered) => entered.post(text)).then(
      () => messages.stored(own),
      (reason) => messages.failed(own, explainFailure(reason), () => post(text)))
    return true
  }

  function pendingText () { return live ? 'Sending…' : 'Waiting for a connection' }

  function updateWaiting () {
    for (const own of messages.unsettled) messages.showState(own, pendingText())
  }

  function readForm () {
    const { room: roomInput, name: nameInput } = connectForm.elements
    const name = nameInput.value.trim()
    const problem = name === '' ? undefined : checkName(name).problem
    nameInput.setCustomValidity(problem === undefined ? '' : `The name ${problem}`)
    return { room: roomInput.value, name }
  }

  connectForm.onsubmit = (event) => {
    event.preventDefault()
    enterRoom()
  }
  connectForm.oninput = readForm
  byId('chat-form-send').onsubmit = send
  typingSignal(input, () => { if (live) room.typing() })

  const query = new URLSearchParams(window.location.search)
  connectForm.elements.room.value = query.get('room') ?? defaultRoom
  connectForm.elements.name.value = query.get('name') ?? ''
  panel.hidden = false
  enterRoom()
}

function missedNote (count) {
  if (count === 0) return 'No messages were missed.'
  return count === 1 ? '1 message was missed and is shown below.' : `${count} messages were missed and are shown below.`
}

/** Returns the text for a failed post. "Not acknowledged": the message may be stored, because only the answer may be lost. */
function explainFailure ({ code, message }) {
  if (code === 'closed') return 'Not acknowledged: the connection was closed.'
  return `${code === 'stale_post' ? 'Not acknowledged' : 'Not sent'}: ${message}.`
}
