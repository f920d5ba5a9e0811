// A WebSocket behind a link. It has the part of WebSocket that the chat client uses.

const OPEN = 1
const CLOSING = 2
const CLOSED = 3
const ABNORMAL = 1006

/** More frames than these don't wait: the socket ends. */
const MAX_HELD = 10_000

export class LinkSocket extends EventTarget {
  readyState = 0
  protocol = ''
  #link
  #socket
  /** What waits while the link drops packets, in order. TCP repeats lost packets, so nothing in the middle may be missing. */
  #held = []

  /**
   * @param link `isDisconnected ()` and `isDropping ()`; `onFrame (sent, data)`, which returns the frame; `onPassed (frame, socket)`, called
   * when the frame arrives, which returns false if it is lost; `onLost (frame)`; `onEvent (event, socket)`
   */
  constructor (url, protocol, link) {
    super()
    this.#link = link
    // Later, because the client adds its listeners when it has the socket.
    if (link.isDisconnected()) setTimeout(() => this.end('disconnected on this page'))
    else this.#pass(() => this.#open(url, protocol))
  }

  send (data) {
    this.#passFrame(this.#link.onFrame(true, data), () => this.#socket.send(data))
  }

  close (code, reason) {
    if (this.readyState >= CLOSING) return
    this.readyState = CLOSING
    if (this.#socket === undefined) this.end('closed before it was open')
    else this.#pass(() => this.#socket.close(code, reason))
  }

  /** Ends the socket at once. The client receives code 1006, as after a lost connection. */
  end (reason) {
    this.#socket?.close()
    this.#closed(ABNORMAL, reason)
  }

  /** Called when the link no longer drops packets. */
  release () {
    for (const { run } of this.#held.splice(0)) run()
  }

  #open (url, protocol) {
    this.#socket = new WebSocket(url, protocol)
    this.#socket.onopen = () => this.#pass(() => {
      if (this.readyState >= CLOSING) return
      this.readyState = OPEN
      this.protocol = this.#socket.protocol
      this.#emit(new Event('open'))
    })
    this.#socket.onerror = () => this.#pass(() => this.#emit(new Event('error')))
    this.#socket.onclose = ({ code, reason }) => this.#pass(() => this.#closed(code, reason))
    this.#socket.onmessage = ({ data }) => {
      if (this.readyState === CLOSED) return
      const frame = this.#link.onFrame(false, data)
      this.#passFrame(frame, () => this.#emit(new MessageEvent('message', { data })))
    }
  }

  #closed (code, reason) {
    if (this.readyState === CLOSED) return
    this.readyState = CLOSED
    for (const { frame } of this.#held.splice(0)) if (frame) this.#link.onLost(frame)
    this.#emit(new CloseEvent('close', { code, reason }))
  }

  #passFrame (frame, deliver) {
    this.#pass(() => {
      if (this.readyState === CLOSED) this.#link.onLost(frame)
      else if (this.#link.onPassed(frame, this)) deliver()
    }, frame)
  }

  /** Runs now, or when the link no longer drops packets. */
  #pass (run, frame) {
    if (!this.#link.isDropping()) return run()
    this.#held.push({ run, frame })
    if (this.#held.length > MAX_HELD) this.end('too many frames were waiting')
  }

  #emit (event) {
    // Before the client, which sends its first frame when the socket opens.
    this.#link.onEvent(event, this)
    this.dispatchEvent(event)
  }
}
