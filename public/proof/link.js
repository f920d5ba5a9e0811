// A connection that can be broken. The chat client opens its sockets through a link, by its option `connect`.
import { listeners } from '../room/listeners.js'
import { frameList, messageIn } from './frames.js'
import { LinkSocket } from './link-socket.js'

export function createLink () {
  const frames = frameList()
  const changed = listeners()
  /** Sockets that are not closed. The client uses the last one; while packets are dropped, others may wait for their end. */
  const sockets = new Set()
  let current
  let isDisconnected = false
  let isDropping = false
  let losesAck = false
  let lostAcks = 0

  const path = {
    isDisconnected: () => isDisconnected,
    isDropping: () => isDropping,
    onFrame: (sent, data) => frames.add({ sent, data, delivery: isDropping ? 'held' : 'passed' }),
    onPassed (frame, socket) {
      frames.setDelivery(frame, 'passed')
      if (!losesAck || frame.sent || !acknowledgesPost(messageIn(frame))) return true
      losesAck = false
      lostAcks++
      frames.setDelivery(frame, 'lost')
      socket.end('the connection was lost before the acknowledgement arrived')
      return false
    },
    onLost: (frame) => frames.setDelivery(frame, 'lost'),
    onEvent (event, socket) {
      if (event.type === 'open') frames.add({ note: 'connected' })
      if (event.type === 'close') {
        sockets.delete(socket)
        frames.add({ note: `${socket.protocol === '' ? 'not connected' : 'closed'} (code ${event.code}${event.reason && `: ${event.reason}`})` })
      }
      if (event.type !== 'message') changed.call()
    }
  }

  return {
    /** Opens a socket. Fits the option `connect` of `ChatClient`. */
    connect (url, protocol) {
      current = new LinkSocket(url, protocol, path)
      sockets.add(current)
      return current
    },

    /** Ends the connection, and each new one until `restore`. */
    disconnect () {
      isDisconnected = true
      losesAck = false
      for (const socket of sockets) socket.end('disconnected on this page')
      changed.call()
    },

    /** Half-open: while it is on, nothing passes in either direction, and neither side is informed. */
    drop (on) {
      isDropping = on
      if (!on) for (const socket of sockets) socket.release()
      changed.call()
    },

    /** Lets everything pass again. The client decides when it connects. */
    restore () {
      isDisconnected = losesAck = false
      this.drop(false)
    },

    /** Loses the next acknowledgement of a post, and the connection with it. @param on false: no longer */
    loseNextAck (on = true) {
      losesAck = on
      changed.call()
    },

    /** `disconnected`, `dropping`, `open`, or `closed` while the client has no connection for another reason. */
    get state () {
      if (isDisconnected) return 'disconnected'
      if (isDropping) return 'dropping'
      return current?.readyState === WebSocket.OPEN ? 'open' : 'closed'
    },
    /** Whether the next acknowledgement will be lost, and the number of those that were lost. */
    get losesAck () { return losesAck },
    get lostAcks () { return lostAcks },
    frames,

    /** Adds a listener, which is called when the state changes. Returns an unsubscribe function. */
    onChange: changed.add
  }
}

/** Returns whether the server has stored a post. The acknowledgement of a change has a revision. */
function acknowledgesPost ({ type, revision }) {
  return type === 'ack' && revision === undefined
}
