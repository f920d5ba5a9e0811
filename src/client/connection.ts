import { CloseCode, ErrorCode, isTerminal, type ClientMessage, type ServerMessage } from '../protocol.ts'
import type { Backoff } from './backoff.ts'
import { ABNORMAL, Link } from './link.ts'
import type { Settings } from './options.ts'
import type { Identity } from './room.ts'

/** How the client stands with the server. */
export type Status =
  | { readonly state: 'connecting' }
  /** session: what to give the next client for it to be the same member; a secret */
  | { readonly state: 'online', readonly member: Identity, readonly session: string }
  /** retryIn: ms. code: of the close, 1006 where none came */
  | { readonly state: 'waiting', readonly retryIn: number, readonly code: number, readonly reason: string }
  /**
   * For good: by `close()`, or by the server with a code after which it makes no sense to come back. 4400 also where it
   * refused the name or the session.
   */
  | { readonly state: 'closed', readonly code: number, readonly reason: string }

export type Welcome = Extract<ServerMessage, { type: 'welcome' }>

export interface ConnectionEvents {
  status (status: Status): void
  welcomed (welcome: Welcome): void
  received (message: ServerMessage): void
  /** The link is gone; another may come. */
  lost (): void
  /** None will come. */
  ended (code: number, reason: string): void
}

/** ms that a link must have lasted for the next waits to begin small again. */
const STABLE = 10_000

/** ms; whatever the server says, it is asked for no more signs of life than that. */
const LEAST_HEARTBEAT = 1_000

/** One link after another. */
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
  /** ms that a draining server asked to wait. */
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

  /** Gives whether it was sent. */
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
    this.#link?.ready(this.#settings.heartbeat ?? Math.max(LEAST_HEARTBEAT, heartbeat))
    this.#status = { state: 'online', member, session }
    this.#events.welcomed(welcome)
    this.#events.status(this.#status)
  }

  /** An error that comes before the welcome is the answer to hello. */
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
    // The reason of 4429 begins with the ms.
    const asked = code === CloseCode.tooMany ? Number(/^\d+(?= |$)/.exec(reason)?.[0] ?? 0) : this.#reconnectIn
    this.#reconnectIn = 0
    const retryIn = this.#backoff.next(asked)
    this.#retry = setTimeout(() => this.#open(), retryIn)
    this.#setStatus({ state: 'waiting', retryIn, code, reason })
  }

  /** Whether the token that this link was let in with may just have run out, and another can be had. */
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
