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
  /** upgrades under way at once */
  readonly handshakes: number
}

/** Takes the upgrade of a path. */
type Take = (...args: UpgradeArguments) => void

const gates = new WeakMap<EventEmitter, UpgradeGate>()

/**
 * The upgrades of one chat: those of its routes, and where it is the first of its server those that no chat has a route for.
 */
export class ChatUpgrades {
  readonly pending: PendingUpgrades
  /** Upgrades that other listeners of the server were given. */
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

  /** Takes the upgrades of a path of this chat. */
  addPath (path: string, constraints: RouteOptions['constraints']): void {
    this.#gate.pathsOf(this.app).add(path, constraints, (request, socket, head) => this.dispatch(request, socket, head, checkHandshake))
  }

  /** Takes the upgrades of another route of the app's. */
  addRoute (path: string, constraints: RouteOptions['constraints'], take: Take): void {
    this.#gate.pathsOf(this.app).add(path, constraints, (request, socket, head) => this.pass(request, socket, head, () => take(request, socket, head)))
  }

  /**
   * Counts an upgrade in the limits and has the app's routes answer it, or refuses it.
   * @param check throws what it is refused with
   */
  dispatch (request: IncomingMessage, socket: Duplex, head: Buffer, check: (request: IncomingMessage) => void): void {
    try {
      if (this.#gate.isClosing(this.app)) throw new Stopping()
      check(request)
      const bytes = requestCost(request)
      const address = this.#limits.enter(requestAddress(this.app, request), bytes)
      this.pending.add(request, { socket, head, address, bytes, abandoned: () => this.#limits.abandon(address, bytes) })
    } catch (error) {
      return this.pending.turnAway(socket, error as FastifyError)
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

  /** Gives an upgrade to other listeners, and ends it where none of them takes it. */
  pass (request: IncomingMessage, socket: Duplex, head: Buffer, take: () => void): void {
    this.passed.add(request, { socket, head })
    try {
      take()
    } catch (error) {
      // Thrown on, it would end the process: any client could do so.
      this.passed.refuse(request, new UpgradeFailed((error as Error).message))
    }
    if (this.passed.settleIfTaken(request)) return
    responseUnderWay(socket)?.once('finish', () => this.passed.answered(request))
    if (this.passed.size > this.#handshakes) this.passed.refuseOldest(new TooManyHandshakes())
  }

  /** Whether an upgrade is under way that this chat has to do with. */
  has (request: IncomingMessage): boolean {
    return this.pending.get(request) !== undefined || this.passed.get(request) !== undefined
  }

  /**
   * Refuses upgrades from here on.
   * @param timeout ms after which no upgrade that other listeners were given is waited for
   */
  close (timeout: number): void {
    this.closing = true
    this.pending.close(timeout)
    this.passed.close(timeout)
  }

  /** Leaves the server as it was before, if this was the last chat on it. */
  leave (): void {
    this.close(0)
    this.#gate.leave(this)
  }
}

/** Decides which upgrades of one server are for its chats, before any listener of the server. */
export class UpgradeGate {
  readonly #server: EventEmitter
  readonly #chats = new Set<ChatUpgrades>()
  /** By the routing function, of which each app has one. */
  readonly #paths = new Map<unknown, UpgradePaths<Take>>()
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
    this.#restore ??= interceptUpgrades(this.#server, (...args) => this.#take(...args))
  }

  leave (chat: ChatUpgrades): void {
    this.#chats.delete(chat)
    const { routing } = chat.app
    if (![...this.#chats].some(({ app }) => app.routing === routing)) this.#paths.delete(routing)
    if (this.#chats.size > 0) return
    this.#restore?.()
    this.#restore = undefined
  }

  pathsOf (app: FastifyInstance): UpgradePaths<Take> {
    let paths = this.#paths.get(app.routing)
    if (paths === undefined) this.#paths.set(app.routing, paths = new UpgradePaths(app))
    return paths
  }

  /** Whether one of the app's chats has begun to close: the app closes all of them. */
  isClosing ({ routing }: FastifyInstance): boolean {
    for (const { app, closing } of this.#chats) if (closing && app.routing === routing) return true
    return false
  }

  #take (request: IncomingMessage, socket: Duplex, head: Buffer, pass: () => void): void {
    const [first] = this.#chats as unknown as [ChatUpgrades]
    guard(socket)
    const earlier = responseUnderWay(socket)
    if (earlier !== undefined) return this.#refuseBehind(earlier, socket, first)
    const found = this.#find(request)
    if (found === malformed) return first.pending.turnAway(socket, new BadHandshake('its path is not valid'))
    if (found !== undefined) return found(request, socket, head)
    if (this.#server.listenerCount('upgrade') > 1) return first.pass(request, socket, head, pass)
    // As Node does without a listener: the app's routes answer it as a request.
    first.dispatch(request, socket, head, checkBody)
  }

  #find (request: IncomingMessage): Take | typeof malformed | undefined {
    let found: Take | typeof malformed | undefined
    for (const paths of this.#paths.values()) {
      try {
        found = paths.find(request) ?? found
      } catch { /* a rewriteUrl or a constraint of the app's fails: its router will say so */ }
      if (typeof found === 'function') return found
    }
    return found
  }

  /**
   * Refuses an upgrade that was sent before the answer to an earlier request: no listener could answer it, and some throw.
   * Where that answer has begun, a status would be read as part of it.
   */
  #refuseBehind (earlier: ServerResponse, socket: Duplex, { pending }: ChatUpgrades): void {
    const error = new BadHandshake('the answer to an earlier request is still to come')
    if (earlier.headersSent) pending.terminate(socket, error)
    else pending.turnAway(socket, error)
  }
}
