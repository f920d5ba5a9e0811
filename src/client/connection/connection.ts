import { SUBPROTOCOL, type ClientMessage, type ServerMessage } from '../../protocol.ts'
import { CLOSE_TIMEOUT, LONGEST_TIMER } from '../bounds.ts'
import { NO_CHAT } from './handshake-refusal.ts'
import { heartbeat, type Heartbeat } from './heartbeat.ts'
import { toJSON } from '../requests/outgoing.ts'
import { parseMessage } from './server-message.ts'
import { ABNORMAL, CLOSED, NORMAL, NO_CODE, OPEN, type ClientSocket } from './socket.ts'
import type { Settings } from '../options.ts'
import { idleTimer } from '../timer.ts'

export interface ConnectionOptions {
  readonly url: string
  /** connectTimeout: ms within which `onWelcome` must be called */
  readonly settings: Pick<Settings, 'connect' | 'connectTimeout'>
  /** Returns the first message. Called before the socket is opened, because the server limits the wait for `hello`. */
  readonly hello: () => Promise<ClientMessage>
  /** Resolves with the reason of a failed handshake for which the socket reported none; '' if it isn't known. */
  readonly probe: () => Promise<string>
  readonly onMessage: (message: ServerMessage) => void
  /** Called once, after the last `onMessage`. */
  readonly onClose: (code: number, reason: string) => void
}

export type Connection = ReturnType<typeof connection>

/** Begins a connection attempt. Returns the connection with the socket that it opens. */
export function connection ({ url, settings: { connect, connectTimeout: timeout }, hello: getHello, probe, onMessage, onClose }: ConnectionOptions) {
  let socket: ClientSocket | undefined
  let pings: Heartbeat | undefined
  let firstError = ''
  let isEnded = false
  const deadline = setTimeout(() => fail(`no welcome within ${timeout} ms`), Math.min(timeout, LONGEST_TIMER))
  open().catch((error: unknown) => fail(String(error)))

  async function open (): Promise<void> {
    // The owner stores this connection before the app's code runs.
    await undefined
    if (isEnded) return
    const hello = await getHello()
    if (isEnded) return
    const opened = await connect(url, SUBPROTOCOL)
    let isPending = opened.readyState !== OPEN
    const refuse = async (code = ABNORMAL, given = '') => {
      if (!isPending || isEnded) return
      isPending = false
      // Only sockets of `ws` have `terminate`. Their errors contain the reason if it is known.
      fail(given || firstError || (opened.terminate === undefined && await probe()) || 'the handshake failed', code)
    }
    // Without a listener, an error on an abandoned `ws` socket would be uncaught.
    opened.addEventListener('error', ({ message }) => {
      // Later errors are consequences of the first one.
      if (typeof message === 'string') firstError ||= message
      // The WebSocket of Node 22 emits no `close` after a failed handshake. Others emit `close` before this timer fires.
      setTimeout(refuse)
    })
    if (isEnded) return discard(opened)
    socket = opened
    opened.addEventListener('message', ({ data }) => receive(data))
    opened.addEventListener('close', ({ code, reason }) => {
      if (isPending) void refuse(code, reason)
      else if (code === NO_CODE && pings === undefined) fail(NO_CHAT, code)
      else fail(reason || firstError, code)
    })
    if (!isPending) sendHello(hello, opened.protocol || SUBPROTOCOL)
    else if (opened.readyState === CLOSED) void refuse()
    else {
      opened.addEventListener('open', () => {
        isPending = false
        sendHello(hello, opened.protocol ?? SUBPROTOCOL)
      })
    }
  }

  /** Sends `hello`. Fails on a plain connection, where `hello` would publish the session and the token to the room. */
  function sendHello (hello: ClientMessage, protocol: string): void {
    if (protocol === SUBPROTOCOL) send(JSON.stringify(hello))
    else fail(`the server did not select the subprotocol ${SUBPROTOCOL}`)
  }

  /** Returns whether the message was passed to the socket. It may still be lost. */
  function send (json: string): boolean {
    if (isEnded || socket?.readyState !== OPEN) return false
    try {
      socket.send(json)
      return true
    } catch (error) {
      // Deferred, so that `onClose` isn't called within `send`.
      queueMicrotask(() => fail(String(error)))
      return false
    }
  }

  function receive (data: unknown): void {
    if (isEnded) return
    try {
      const message = parseMessage(data)
      pings?.onMessage((message as { readonly id?: string }).id)
      onMessage(message)
    } catch (error) {
      fail(String(error))
    }
  }

  /** Ends the connection without waiting for the server. */
  function fail (reason: string, code = ABNORMAL): void {
    if (!detach()) return
    if (!terminate(socket)) discard(socket)
    onClose(code, reason)
  }

  function detach (): boolean {
    if (isEnded) return false
    isEnded = true
    clearTimeout(deadline)
    pings?.stop()
    return true
  }

  return {
    send,
    /** Clears the deadline and starts the heartbeat. @param interval in ms */
    onWelcome (interval: number): void {
      clearTimeout(deadline)
      pings = heartbeat(interval, (id) => send(toJSON({ type: 'ping', id })), () => fail('no answer to a ping'))
    },
    /** Pings the server, like `Heartbeat.ping()`. Returns undefined before the welcome. */
    ping (): Promise<number | undefined> | undefined { return pings?.ping() },
    /** Closes the socket and ignores its further events. `onClose` is not called. */
    close (): void { if (detach()) discard(socket) }
  }
}

/** Closes the socket. Terminates it if the server doesn't answer, so that it doesn't keep the process alive. */
function discard (socket: ClientSocket | undefined): void {
  if (socket === undefined || socket.readyState === CLOSED) return
  const timer = idleTimer(() => terminate(socket), CLOSE_TIMEOUT)
  socket.addEventListener('close', () => clearTimeout(timer))
  try {
    socket.close(NORMAL)
  } catch {
    // The timer terminates it.
  }
}

/** Terminates the socket. Returns whether it was terminated: there may be none, and sockets of browsers have no such method. */
function terminate (socket: ClientSocket | undefined): boolean {
  try {
    socket!.terminate!()
    return true
  } catch {
    return false
  }
}
