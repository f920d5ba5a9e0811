// The controls of one person's connection, and the state of the messages during an outage.
import { nextFrame } from '../room/next-frame.js'
import { postBotMessages } from './bot.js'
import { build, button } from '../dom.js'
import { dotList } from './dots.js'
import { startOutage } from './outage.js'
import { progressOf, summaryOf } from './sentence.js'

/**
 * Returns a section: its element, its person, `addSeenElsewhere (message)` for what somebody else has received, and `close ()`.
 * @param onReceived called with what this person has received, and with the person
 */
export function personSection ({ person, link, config, onReceived }) {
  const heading = build('h2')
  const state = build('span', { className: 'state' })
  const problem = build('p', { className: 'error', role: 'alert' })
  const progress = build('p', { className: 'sentence' })
  const summary = build('p', { className: 'sentence', role: 'status' })
  const dots = dotList((position) => person.highlight(position))
  const disconnect = button('Disconnect', toggleDisconnected, { className: 'primary' })
  const drop = button('Drop packets', toggleDropping, { title: 'Half-open: nothing passes in either direction, and neither side is informed' })
  const loseAck = button('Lose the next acknowledgement', toggleLosing, { title: 'The server stores the next post, and the connection ends before the client knows' })
  const bot = button('Send bot messages', sendBotMessages, { title: 'Another client posts five messages' })
  const element = build('section', { className: 'person' },
    build('div', { className: 'heading' }, heading, state),
    build('div', { className: 'buttons' }, disconnect, bot, drop, loseAck),
    problem, dots.element, progress, summary)
  const rooms = new WeakSet()
  let outage, timer, client
  let isSending = false

  function begin (cause) {
    const isRunning = outage !== undefined && outage.report === undefined
    // Until the acknowledgement is lost, packets may be dropped instead.
    const isReplaced = cause === 'drop' && outage?.seconds === undefined
    if ((isRunning && !isReplaced) || person.room === undefined) return
    discardOutage()
    outage = startOutage({ client: person.client, room: person.room, link, cause, onChange: nextFrame(draw) })
  }

  function toggleDisconnected () {
    if (link.state !== 'open') return reconnect()
    link.disconnect()
  }

  function reconnect () {
    link.restore()
    person.client?.reconnect()
  }

  function toggleDropping () {
    const on = link.state !== 'dropping'
    link.drop(on)
    if (on) begin('drop')
    else person.client?.reconnect()
  }

  function toggleLosing () {
    const on = !link.losesAck
    if (on) begin('ack')
    else discardOutage()
    link.loseNextAck(on)
  }

  async function sendBotMessages () {
    if (isSending || person.room === undefined) return
    isSending = true
    problem.textContent = ''
    draw()
    try {
      await postBotMessages({ url: config.chat, room: person.room.name, onMessage: (message) => onReceived(message) })
    } catch ({ message }) {
      problem.textContent = `The bot could not send its messages: ${message}.`
    }
    isSending = false
    draw()
  }

  function discardOutage () {
    outage?.close()
    outage = undefined
  }

  /** Follows the person to another client, which a new name makes, and to another room. */
  function follow () {
    if (person.client !== client) {
      discardOutage()
      client = person.client
      client?.on('status', onStatus)
    }
    const { room } = person
    if (room !== undefined && !rooms.has(room)) {
      rooms.add(room)
      room.on('message', (message) => onReceived(message, person))
    }
    draw()
  }

  function onStatus ({ state }) {
    if (state === 'waiting') begin(link.state === 'disconnected' ? 'disconnect' : 'network')
    draw()
  }

  function draw () {
    clearTimeout(timer)
    const isOpen = link.state === 'open'
    heading.textContent = person.client?.member?.name || 'Guest'
    state.textContent = { open: 'connected', disconnected: 'disconnected', dropping: 'packets are dropped', closed: 'not connected' }[link.state]
    state.dataset.state = link.state
    disconnect.textContent = isOpen ? 'Disconnect' : 'Reconnect'
    drop.textContent = link.state === 'dropping' ? 'Stop dropping packets' : 'Drop packets'
    drop.disabled = link.state === 'disconnected'
    loseAck.setAttribute('aria-pressed', link.losesAck)
    loseAck.disabled = link.state === 'disconnected'
    bot.textContent = isSending ? 'Sending bot messages…' : 'Send bot messages'
    bot.setAttribute('aria-disabled', isSending)
    if (outage === undefined) return dots.draw([])
    const known = outage.dots
    dots.draw(known)
    progress.textContent = outage.report === undefined ? progressOf(outage, known) : ''
    summary.textContent = outage.report === undefined ? '' : summaryOf(outage.report)
    if (outage.report === undefined && !outage.isBack) timer = setTimeout(draw, 1_000)
  }

  const stops = [link.onChange(follow), person.roomChanged(follow)]
  follow()
  return {
    element,
    person,
    addSeenElsewhere: (message) => outage?.addSeenElsewhere(message),
    close () {
      for (const stop of stops) stop()
      clearTimeout(timer)
      discardOutage()
    }
  }
}
