import { CloseCode, ErrorCode, isTerminal, type ClientMessage, type ServerMessage } from '../protocol.ts'
import type { Backoff } from './backoff.ts'
import { ABNORMAL, Link } from './connection.ts'
import type { Settings } from './options.ts'
import type { Identity } from './room.ts'

/** The state of the client's connection. */
export type Status =
  | { readonly state: 'connecting' }
  /** session: a secret; a later client that is created with it is the same member */
  | { readonly state: 'online', readonly member: Identity, readonly session: string }
  /** retryIn: ms until the next attempt. code: the close code, 1006 if none was received */
  | { readonly state: 'waiting', readonly retryIn: number, readonly code: number, readonly reason: string }
  /**
   * Final: after `close()`, or after a terminal close code. The code is 4400 also when the server answered `hello` with an
   * error, for example because of the name or the session.
   */
  | { readonly state: 'closed', readonly code: number, readonly reason: string }

export type Welcome = Extract<ServerMessage, { type: 'welcome' }>

export interface ConnectionEvents {
  status (status: Status): void
  welcomed (welcome: Welcome): void
  received (message: ServerMessage): void
  /** Called when a link is lost; another may follow. */
  lost (): void
  /** Called when the connection has ended for good. */
  ended (code: number, reason: string): void
}

/** ms that a link must last before the backoff is reset. */
const STABLE = 10_000

/** ms; lower bound of the heartbeat interval that the server sends in `welcome`. */
const MIN_HEARTBEAT = 1_000

/** Opens one link at a time, and the next one after a delay. */
export class Connection {
  readonly #url: string
  readonly #settings: Settings
  readonly #events: ConnectionEvents
  readonly #backoff: Backoff
  #status: Status = { state: 'connecting' }
  #session: string | undefined
  #link: Link | undefined
  #onlineSince = Infinity
  #retry: ReturnType<typeof setTimeout> | undefined
  /** ms to wait before the next attempt, from `draining`. */
  #reconnectIn = 0

  constructor (url: string, settings: Settings, events: ConnectionEvents) {
    this.#url = url
    this.#settings = settings
    this.#events = events
    this.#backoff = settings.backoff()
    this.#session = settings.session
    this.#open()
  }

  get status (): Status { return this.#status }

  /** Returns whether the message was passed to the socket. */
  send (message: ClientMessage | string): boolean {
    return this.#status.state === 'online' && this.#link !== undefined && this.#link.send(message)
  }

  reconnect (): void {
    if (this.#status.state !== 'waiting') return
    clearTimeout(this.#retry)
    this.#open()
  }

  close (): void { this.#end(CloseCode.normal, 'closed by this client') }

  #open (): void {
    const { connect, connectTimeout: timeout } = this.#settings
    this.#link = new Link({ url: this.#url, connect, timeout, hello: () => this.#hello() }, {
      received: (message) => this.#receive(message),
      lost: (code, reason) => this.#lost(code, reason)
    })
    this.#setStatus({ state: 'connecting' })
  }

  async #hello (): Promise<ClientMessage> {
    const { name, token: given } = this.#settings
    const token = typeof given === 'function' ? await given() : given
    const session = this.#session
    return {
      type: 'hello',
      ...session !== undefined && { session },
      ...name !== undefined && { name },
      ...token !== undefined && { token }
    }
  }

  #receive (message: ServerMessage): void {
    if (message.type === 'draining') this.#reconnectIn = message.reconnectIn
    else if (this.#status.state === 'online') this.#events.received(message)
    else if (message.type === 'welcome') this.#welcome(message)
    else if (message.type === 'error') this.#refused(message)
  }

  #welcome (welcome: Welcome): void {
    const { member, session, heartbeat } = welcome
    this.#session = session
    this.#onlineSince = performance.now()
    this.#link?.ready(this.#settings.heartbeat ?? Math.max(MIN_HEARTBEAT, heartbeat))
    this.#status = { state: 'online', member, session }
    this.#events.welcomed(welcome)
    this.#events.status(this.#status)
  }

  /** Handles an error that arrives before `welcome`: it answers `hello`. */
  #refused ({ code, message }: Extract<ServerMessage, { type: 'error' }>): void {
    if (code !== ErrorCode.unavailable) return this.#end(CloseCode.badFrame, message)
    this.#link?.close()
    this.#lost(ABNORMAL, message)
  }

  #lost (code: number, reason: string): void {
    if (isTerminal(code) && !(code === CloseCode.unauthenticated && this.#mayRenew())) return this.#end(code, reason)

    this.#link = undefined
    this.#events.lost()
    if (performance.now() - this.#onlineSince > STABLE) this.#backoff.reset()
    this.#onlineSince = Infinity
    const retryIn = this.#backoff.next(this.#reconnectIn)
    this.#reconnectIn = 0
    this.#retry = setTimeout(() => this.#open(), retryIn)
    this.#setStatus({ state: 'waiting', retryIn, code, reason })
  }

  /** Returns whether the token may have expired since this link was accepted, and a function can supply another. */
  #mayRenew (): boolean { return this.#status.state === 'online' && typeof this.#settings.token === 'function' }

  #end (code: number, reason: string): void {
    if (this.#status.state === 'closed') return
    this.#status = { state: 'closed', code, reason }
    clearTimeout(this.#retry)
    this.#link?.close()
    this.#link = undefined
    this.#events.ended(code, reason)
    this.#events.status(this.#status)
  }

  #setStatus (status: Status): void {
    this.#status = status
    this.#events.status(status)
  }
}
