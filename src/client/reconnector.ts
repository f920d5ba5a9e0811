import { isTerminal, terminal, type ClientMessage, type ServerMessage } from '../protocol.ts'
import type { Backoff } from './backoff.ts'
import { ABNORMAL, Connection, NO_CODE, NORMAL } from './connection.ts'
import { watchEnvironment, type EnvironmentEvent } from './environment.ts'
import { ChatError, isOneOf } from './error.ts'
import { probe, refusalIn } from './handshake-refusal.ts'
import { keptSession, type KeptSession } from './kept-session.ts'
import type { Settings } from './options.ts'
import type { Status } from './status.ts'

export type Welcome = Extract<ServerMessage, { type: 'welcome' }>

export interface ReconnectorEvents {
  onStatus (status: Status): void
  onWelcome (welcome: Welcome): void
  onMessage (message: ServerMessage): void
  /** Called when the server doesn't accept the client, once until the client is online again. */
  onError (error: ChatError): void
  /** Called when a connection is lost; another may follow. */
  onDisconnect (): void
  /** Called when no other connection will follow. */
  onEnd (code: number, reason: string): void
}

/** ms that a connection must last before the backoff is reset. */
const STABLE = 10_000

/** Minimum ms of a heartbeat interval that the server sends in `welcome`. */
const MIN_HEARTBEAT = 1_000

/** Opens one connection at a time, and the next one after a delay. */
export class Reconnector {
  readonly #url: string
  readonly #settings: Settings
  readonly #events: ReconnectorEvents
  readonly #backoff: Backoff
  readonly #unwatch: () => void
  #status: Status = { state: 'connecting' }
  readonly #session: KeptSession
  #connection: Connection | undefined
  #onlineSince = Infinity
  #wasOnline = false
  /** Whether the server was probed, and whether its refusal was reported, since the client was online. */
  #probed = false
  #reported = false
  #retry: ReturnType<typeof setTimeout> | undefined
  /** ms to wait before the next attempt, from `draining`. */
  #reconnectIn = 0

  constructor (url: string, settings: Settings, events: ReconnectorEvents) {
    this.#url = url
    this.#settings = settings
    this.#events = events
    this.#backoff = settings.backoff()
    this.#session = keptSession(settings.session, url)
    this.#unwatch = watchEnvironment((event) => this.#onEnvironment(event))
    this.#open()
  }

  get status (): Status { return this.#status }

  /** Returns whether the message was passed to the socket. */
  send (json: string): boolean {
    return this.#status.state === 'online' && this.#connection !== undefined && this.#connection.send(json)
  }

  reconnect (): void { if (this.#status.state === 'waiting') this.#open() }

  /** Pings the server, like `Heartbeat.ping()`. Returns undefined unless the client is online. */
  ping (): Promise<number | undefined> | undefined { return this.#connection?.ping() }

  close (): void { this.#end(NORMAL, 'closed by this client') }

  #onEnvironment (event: EnvironmentEvent): void {
    // Earlier failures don't predict the next attempt.
    this.#backoff.reset()
    // The wait is long: an attempt would fail, or keep the page out of the back/forward cache. Another event ends the wait.
    if (event === 'offline' || event === 'pagehide') return this.#disconnect(event, ABNORMAL, this.#backoff.max)
    if (this.ping() !== undefined) return
    // An attempt that began offline would fail. The wait is random, because many clients may come online at once.
    if (event === 'online') this.#disconnect(event)
    else this.reconnect()
  }

  #open (): void {
    const { connect, connectTimeout: timeout } = this.#settings
    clearTimeout(this.#retry)
    this.#connection = new Connection({ url: this.#url, connect, timeout, hello: () => this.#hello(), probe: () => this.#probe() }, {
      onMessage: (message) => this.#receive(message),
      onClose: (code, reason) => this.#onClose(code, reason)
    })
    this.#setStatus({ state: 'connecting' })
  }

  async #hello (): Promise<ClientMessage> {
    const { name, token: tokenOption } = this.#settings
    const token = typeof tokenOption === 'function' ? await tokenOption() : tokenOption
    const session = await this.#session.get()
    return {
      type: 'hello',
      changes: true,
      ...session && { session },
      ...name !== undefined && { name },
      ...token !== undefined && { token }
    }
  }

  #receive (message: ServerMessage): void {
    if (message.type === 'draining') this.#reconnectIn = message.reconnectIn
    else if (this.#status.state === 'online') this.#events.onMessage(message)
    else if (message.type === 'welcome') this.#onWelcome(message)
    else if (message.type === 'error') this.#onHelloError(message)
  }

  #onWelcome (welcome: Welcome): void {
    const { member, session, heartbeat } = welcome
    void this.#session.set(session)
    this.#wasOnline = true
    this.#probed = this.#reported = false
    this.#onlineSince = performance.now()
    this.#connection?.onWelcome(this.#settings.heartbeat ?? Math.max(MIN_HEARTBEAT, heartbeat))
    this.#status = { state: 'online', member, session }
    this.#events.onWelcome(welcome)
    this.#events.onStatus(this.#status)
  }

  /** Handles an error that arrives before `welcome`: it answers `hello`. */
  #onHelloError ({ code, message }: Extract<ServerMessage, { type: 'error' }>): void {
    if (!isOneOf(code, 'unavailable')) {
      if (message.includes('session')) void this.#session.set('')
      return this.#end(terminal.badFrame, message)
    }
    this.#onClose(ABNORMAL, message)
  }

  #onClose (code: number, reason: string): void {
    // A server may send any other code, with a reason of its own.
    const [refusal, status = ''] = code === ABNORMAL || code === NO_CODE ? refusalIn(reason) : []
    if (refusal !== undefined && !this.#reported) {
      this.#reported = true
      this.#events.onError(new ChatError('handshake', reason))
      // A listener may have closed the client.
      if (this.#status.state === 'closed') return
    }
    // A server may treat the request of the probe in another way than a handshake: a chat answers it with 426.
    const isFinal = status >= '4' && !(this.#probed && (status === '426' || this.#wasOnline))
    if (isFinal || (isTerminal(code) && !(code === terminal.unauthenticated && this.#mayRenew()))) return this.#end(code, reason)

    if (performance.now() - this.#onlineSince > STABLE) this.#backoff.reset()
    this.#disconnect(reason, code)
  }

  /** Ends the connection if there is one. @param retryIn ms until the next attempt */
  #disconnect (reason: string, code = ABNORMAL, retryIn = this.#backoff.next(this.#reconnectIn)): void {
    this.#connection?.close()
    this.#connection = undefined
    this.#events.onDisconnect()
    this.#onlineSince = Infinity
    this.#reconnectIn = 0
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => this.#open(), retryIn)
    this.#setStatus({ state: 'waiting', retryIn, code, reason })
  }

  /** Resolves with the reason of a refusal, once until the client is online. */
  async #probe (): Promise<string> {
    if (this.#probed) return ''
    this.#probed = true
    return await probe(this.#url)
  }

  /** Returns whether the token may have expired since this connection was accepted, and a function can return a new token. */
  #mayRenew (): boolean { return this.#status.state === 'online' && typeof this.#settings.token === 'function' }

  #end (code: number, reason: string): void {
    if (this.#status.state === 'closed') return
    this.#status = { state: 'closed', code, reason }
    this.#unwatch()
    clearTimeout(this.#retry)
    this.#connection?.close()
    this.#connection = undefined
    this.#events.onEnd(code, reason)
    this.#events.onStatus(this.#status)
  }

  #setStatus (status: Status): void {
    this.#status = status
    this.#events.onStatus(status)
  }
}
