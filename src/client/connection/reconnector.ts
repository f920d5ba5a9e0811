import { isTerminal, terminal, type ClientMessage, type ServerMessage } from '../../protocol.ts'
import { MIN_HEARTBEAT, STABLE } from '../bounds.ts'
import type { EmitClientEvent } from '../client-events.ts'
import { connection, type Connection } from './connection.ts'
import { watchEnvironment, type EnvironmentEvent } from './environment.ts'
import { ChatError, isOneOf } from '../error.ts'
import { probe, refusalIn } from './handshake-refusal.ts'
import { keptSession } from './kept-session.ts'
import type { Settings } from '../options.ts'
import type { Of } from '../room-events.ts'
import { ABNORMAL, NORMAL, NO_CODE } from './socket.ts'
import type { Status } from '../status.ts'

/** The client that a reconnector connects. */
export interface ReconnectingClient {
  readonly emit: EmitClientEvent
  onWelcome (welcome: Of<'welcome'>): void
  onMessage (message: ServerMessage): void
  /** Called when a connection is lost; another may follow. */
  onDisconnect (): void
  /** Called when no other connection will follow. */
  onEnd (code: number, reason: string): void
}

export type Reconnector = ReturnType<typeof reconnector>

/** Opens one connection at a time, and the next one after a delay. */
export function reconnector (url: string, settings: Settings, client: ReconnectingClient) {
  const delays = settings.backoff()
  const session = keptSession(settings.session, url)
  const unwatch = watchEnvironment(onEnvironment)
  let status: Status
  let current: Connection | undefined
  let retry: ReturnType<typeof setTimeout> | undefined
  let onlineSince = Infinity
  let wasOnline = false
  /** Whether the server was probed, and whether its refusal was reported, since the client was online. */
  let isProbed = false
  let isReported = false
  /** ms to wait before the next attempt, from `draining`. */
  let reconnectIn = 0
  open()

  function open (): void {
    drop()
    current = connection({ url, settings, hello, probe: probeOnce, onMessage: receive, onClose })
    setStatus({ state: 'connecting' })
  }

  /** Ends the connection, or the wait for the next one. */
  function drop (): void {
    clearTimeout(retry)
    current?.close()
    current = undefined
  }

  /** Pings the server, like `Heartbeat.ping()`. Returns undefined unless the client is online. */
  function ping (): Promise<number | undefined> | undefined { return current?.ping() }

  function reconnect (): void { if (status.state === 'waiting') open() }

  function onEnvironment (event: EnvironmentEvent): void {
    // Earlier failures don't predict the next attempt.
    delays.reset()
    // The wait is long: an attempt would fail, or keep the page out of the back/forward cache. Another event ends the wait.
    if (event === 'offline' || event === 'pagehide') return disconnect(event, ABNORMAL, settings.maxDelay)
    if (ping() !== undefined) return
    // An attempt that began offline would fail. The wait is random, because many clients may come online at once.
    if (event === 'online') disconnect(event)
    else reconnect()
  }

  async function hello (): Promise<ClientMessage> {
    const { name, token } = settings
    const currentToken = typeof token === 'function' ? await token() : token
    const stored = await session.get()
    // JSON has no undefined properties.
    return { type: 'hello', changes: true, session: stored || undefined, name, token: currentToken } as ClientMessage
  }

  function receive (message: ServerMessage): void {
    if (message.type === 'draining') reconnectIn = message.reconnectIn
    else if (status.state === 'online') client.onMessage(message)
    else if (message.type === 'welcome') onWelcome(message)
    else if (message.type === 'error') onHelloError(message)
  }

  function onWelcome (welcome: Of<'welcome'>): void {
    void session.set(welcome.session)
    wasOnline = true
    isProbed = isReported = false
    onlineSince = performance.now()
    current?.onWelcome(settings.heartbeat ?? Math.max(MIN_HEARTBEAT, welcome.heartbeat))
    status = { state: 'online', member: welcome.member, session: welcome.session }
    client.onWelcome(welcome)
    client.emit('status', status)
  }

  /** Handles an error that arrives before `welcome`: it answers `hello`. */
  function onHelloError ({ code, message }: Of<'error'>): void {
    if (isOneOf(code, 'unavailable')) return onClose(ABNORMAL, message)
    if (message.includes('session')) void session.set('')
    end(terminal.badFrame, message)
  }

  function onClose (code: number, reason: string): void {
    // A server may send any other code, with a reason of its own.
    const [refusal, httpStatus = ''] = code === ABNORMAL || code === NO_CODE ? refusalIn(reason) : []
    if (refusal !== undefined && !isReported) {
      isReported = true
      client.emit('error', new ChatError('handshake', reason))
      // A listener may have closed the client.
      if (status.state === 'closed') return
    }
    // A server may treat the request of the probe in another way than a handshake: a chat answers it with 426.
    const isFinal = httpStatus >= '4' && !(isProbed && (httpStatus === '426' || wasOnline))
    // The token may have expired since this connection was accepted, and a function can return a new one.
    const mayRenew = code === terminal.unauthenticated && status.state === 'online' && typeof settings.token === 'function'
    if (isFinal || (isTerminal(code) && !mayRenew)) return end(code, reason)
    if (performance.now() - onlineSince > STABLE) delays.reset()
    disconnect(reason, code)
  }

  /** Ends the connection if there is one. @param retryIn ms until the next attempt */
  function disconnect (reason: string, code = ABNORMAL, retryIn = delays.next(reconnectIn)): void {
    drop()
    client.onDisconnect()
    onlineSince = Infinity
    reconnectIn = 0
    retry = setTimeout(open, retryIn)
    setStatus({ state: 'waiting', retryIn, code, reason })
  }

  /** Resolves with the reason of a refusal, once until the client is online. */
  async function probeOnce (): Promise<string> {
    if (isProbed) return ''
    isProbed = true
    return await probe(url)
  }

  function end (code: number, reason: string): void {
    if (status.state === 'closed') return
    status = { state: 'closed', code, reason }
    unwatch()
    drop()
    client.onEnd(code, reason)
    client.emit('status', status)
  }

  function setStatus (next: Status): void {
    status = next
    client.emit('status', next)
  }

  return {
    ping,
    reconnect,
    get status (): Status { return status },
    /** Returns whether the message was passed to the socket. */
    send (json: string): boolean { return status.state === 'online' && current?.send(json) === true },
    close (): void { end(NORMAL, 'closed by this client') }
  }
}
