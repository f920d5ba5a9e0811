import type { EventEmitter } from 'node:events'
import { ServerResponse, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyError } from '@fastify/error'
import type { FastifyInstance, RouteOptions } from 'fastify'
import { BadHandshake, Stopping, TooManyHandshakes, UpgradeFailed } from '../errors.ts'
import type { RefusalLog } from '../observability/refusal-log.ts'
import type { ConnectionLimits } from './connection-limits.ts'
import { requestCost } from './request-cost.ts'
import { checkBody, checkHandshake } from './handshake.ts'
import { interceptUpgrades, requestAddress, responseUnderWay, type UpgradeArguments } from './internals.ts'
import { guard, PendingUpgrades } from './pending-upgrades.ts'
import { malformed, UpgradePaths } from './upgrade-paths.ts'

export interface UpgradeSettings {
  /** ms from the request to the upgraded connection */
  readonly handshakeTimeout: number
  /** upgrades in progress at once */
  readonly handshakes: number
}

/** Handles the upgrades of a path. */
type UpgradeHandler = (...args: UpgradeArguments) => void

const gates = new WeakMap<EventEmitter, UpgradeGate>()

/**
 * The upgrades of one chat's routes. The first chat of a server also gets the upgrades that match no route of any chat.
 */
export class ChatUpgrades {
  readonly pending: PendingUpgrades
  /** Upgrades that were passed to other listeners of the server. */
  readonly passed: PendingUpgrades
  readonly app: FastifyInstance
  readonly #gate: UpgradeGate
  readonly #limits: ConnectionLimits
  readonly #handshakes: number
  closing = false

  constructor (app: FastifyInstance, limits: ConnectionLimits, refusals: RefusalLog, { handshakeTimeout: timeout, handshakes }: UpgradeSettings) {
    this.app = app
    this.#limits = limits
    this.#handshakes = handshakes
    this.pending = new PendingUpgrades({ timeout, refusals })
    this.passed = new PendingUpgrades({ timeout, refusals })
    this.#gate = UpgradeGate.of(app.server)
    this.#gate.join(this)
  }

  /** Dispatches the upgrades of a path of this chat. */
  addPath (path: string, constraints: RouteOptions['constraints']): void {
    this.#gate.pathsOf(this.app).add(path, constraints, (request, socket, head) => this.dispatch(request, socket, head, checkHandshake))
  }

  /** Passes the upgrades of another route of the app to a handler. */
  addRoute (path: string, constraints: RouteOptions['constraints'], handle: UpgradeHandler): void {
    this.#gate.pathsOf(this.app).add(path, constraints, (request, socket, head) => this.pass(request, socket, head, () => handle(request, socket, head)))
  }

  /**
   * Counts an upgrade in the limits and routes it in the app, or refuses it.
   * @param check throws the error to refuse it with
   */
  dispatch (request: IncomingMessage, socket: Duplex, head: Buffer, check: (request: IncomingMessage) => void): void {
    try {
      if (this.#gate.isClosing(this.app)) throw new Stopping()
      check(request)
      const bytes = requestCost(request)
      const address = this.#limits.enter(requestAddress(this.app, request), bytes)
      this.pending.add(request, { socket, head, address, bytes, abandoned: () => this.#limits.abandon(address, bytes) })
    } catch (error) {
      return this.pending.refuseSocket(socket, error as FastifyError)
    }
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.once('finish', () => this.pending.answered(request))
    try {
      response.assignSocket(socket as typeof request.socket)
      this.app.routing(request, response)
    } catch (error) {
      this.pending.refuse(request, new UpgradeFailed((error as Error).message))
    }
  }

  /** Passes an upgrade to other listeners, and ends it if none of them takes it. */
  pass (request: IncomingMessage, socket: Duplex, head: Buffer, take: () => void): void {
    this.passed.add(request, { socket, head })
    try {
      take()
    } catch (error) {
      // Rethrown, the error would end the process, and any client could cause it.
      this.passed.refuse(request, new UpgradeFailed((error as Error).message))
    }
    if (this.passed.settleIfTaken(request)) return
    responseUnderWay(socket)?.once('finish', () => this.passed.answered(request))
    if (this.passed.size > this.#handshakes) this.passed.refuseOldest(new TooManyHandshakes())
  }

  /** Returns whether the request is an upgrade that this chat dispatched or passed and that is still pending. */
  has (request: IncomingMessage): boolean {
    return this.pending.get(request) !== undefined || this.passed.get(request) !== undefined
  }

  /**
   * Ends all pending upgrades, and refuses new ones.
   * @param timeout ms from now until upgrades passed to other listeners later are ended
   */
  close (timeout: number): void {
    this.closing = true
    this.pending.close(timeout)
    this.passed.close(timeout)
  }

  /** Closes the chat's upgrades. Restores the server if this was its last chat. */
  leave (): void {
    this.close(0)
    this.#gate.leave(this)
  }
}

/** Dispatches the upgrades of one server to its chats, or passes them to the listeners of the server. */
export class UpgradeGate {
  readonly #server: EventEmitter
  readonly #chats = new Set<ChatUpgrades>()
  /** Keyed by the routing function: each app has one. */
  readonly #paths = new Map<unknown, UpgradePaths<UpgradeHandler>>()
  #restore: (() => void) | undefined

  private constructor (server: EventEmitter) {
    this.#server = server
  }

  static of (server: EventEmitter): UpgradeGate {
    let gate = gates.get(server)
    if (gate === undefined) gates.set(server, gate = new UpgradeGate(server))
    return gate
  }

  join (chat: ChatUpgrades): void {
    this.#chats.add(chat)
    this.#restore ??= interceptUpgrades(this.#server, (...args) => this.#handle(...args))
  }

  leave (chat: ChatUpgrades): void {
    this.#chats.delete(chat)
    const { routing } = chat.app
    if (![...this.#chats].some(({ app }) => app.routing === routing)) this.#paths.delete(routing)
    if (this.#chats.size > 0) return
    this.#restore?.()
    this.#restore = undefined
  }

  pathsOf (app: FastifyInstance): UpgradePaths<UpgradeHandler> {
    let paths = this.#paths.get(app.routing)
    if (paths === undefined) this.#paths.set(app.routing, paths = new UpgradePaths(app))
    return paths
  }

  /** Returns whether a chat of the app has begun to close: the app closes all its chats together. */
  isClosing ({ routing }: FastifyInstance): boolean {
    for (const { app, closing } of this.#chats) if (closing && app.routing === routing) return true
    return false
  }

  #handle (request: IncomingMessage, socket: Duplex, head: Buffer, pass: () => void): void {
    const [first] = this.#chats as unknown as [ChatUpgrades]
    guard(socket)
    const earlier = responseUnderWay(socket)
    if (earlier !== undefined) return this.#refusePipelined(earlier, socket, first)
    const found = this.#find(request)
    if (found === malformed) return first.pending.refuseSocket(socket, new BadHandshake('its path is not valid'))
    if (found !== undefined) return found(request, socket, head)
    if (this.#server.listenerCount('upgrade') > 1) return first.pass(request, socket, head, pass)
    // Node does the same without a listener: the app's routes handle it as a request.
    first.dispatch(request, socket, head, checkBody)
  }

  #find (request: IncomingMessage): UpgradeHandler | typeof malformed | undefined {
    let found: UpgradeHandler | typeof malformed | undefined
    for (const paths of this.#paths.values()) {
      try {
        found = paths.find(request) ?? found
      } catch { /* rewriteUrl or a constraint of the app throws: its router will report it */ }
      if (typeof found === 'function') return found
    }
    return found
  }

  /**
   * Refuses an upgrade that was sent before the response to an earlier request: no listener could answer it, and some throw.
   * If that response has begun, the client would read a status line as part of it, so the socket is terminated.
   */
  #refusePipelined (earlier: ServerResponse, socket: Duplex, { pending }: ChatUpgrades): void {
    const error = new BadHandshake('the answer to an earlier request is still to come')
    if (earlier.headersSent) pending.terminate(socket, error)
    else pending.refuseSocket(socket, error)
  }
}
