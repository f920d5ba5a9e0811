import type { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyError } from '@fastify/error'
import type { FastifyInstance } from 'fastify'
import { BadHandshake } from '../errors.ts'
import { checkBody } from './handshake.ts'
import { appKey, interceptUpgrades, responseUnderWay, type UpgradeArguments } from './internals/index.ts'
import { destroyOnError } from './pending-upgrades.ts'
import { malformed, UpgradeRouter } from './upgrade-router.ts'

/** Handles the upgrades of a path. */
export type UpgradeHandler = (...args: UpgradeArguments) => void

/** A chat that handles upgrades of a server. */
export interface UpgradeOwner {
  readonly app: FastifyInstance
  /** Whether the chat has begun to close. */
  readonly closing: boolean
  /** Routes an upgrade in its app. @param check throws the error to refuse the upgrade with */
  dispatch (request: IncomingMessage, socket: Duplex, head: Buffer, check: (request: IncomingMessage) => void): void
  /** Passes an upgrade to other listeners of the server. @param emit calls the listeners */
  pass (request: IncomingMessage, socket: Duplex, head: Buffer, emit: () => void): void
  /** Refuses an upgrade that was neither dispatched nor passed. */
  refuse (request: IncomingMessage, socket: Duplex, error: FastifyError): void
  /** Destroys the socket of a refused upgrade without a response. */
  terminate (request: IncomingMessage, socket: Duplex, error: FastifyError): void
}

const servers = new WeakMap<EventEmitter, ServerUpgrades>()

/** Dispatches the upgrades of one server to its chats, or passes them to the listeners of the server. */
export class ServerUpgrades {
  readonly #server: EventEmitter
  readonly #chats = new Set<UpgradeOwner>()
  /** Keyed by `appKey`. */
  readonly #routers = new Map<unknown, UpgradeRouter<UpgradeHandler>>()
  #restore: (() => void) | undefined

  private constructor (server: EventEmitter) {
    this.#server = server
  }

  static of (server: EventEmitter): ServerUpgrades {
    let upgrades = servers.get(server)
    if (upgrades === undefined) servers.set(server, upgrades = new ServerUpgrades(server))
    return upgrades
  }

  add (chat: UpgradeOwner): void {
    this.#chats.add(chat)
    this.#restore ??= interceptUpgrades(this.#server, (...args) => this.#handle(...args))
  }

  remove (chat: UpgradeOwner): void {
    this.#chats.delete(chat)
    const key = appKey(chat.app)
    if (![...this.#chats].some(({ app }) => appKey(app) === key)) this.#routers.delete(key)
    if (this.#chats.size > 0) return
    this.#restore?.()
    this.#restore = undefined
  }

  routerOf (app: FastifyInstance): UpgradeRouter<UpgradeHandler> {
    const key = appKey(app)
    let router = this.#routers.get(key)
    if (router === undefined) this.#routers.set(key, router = new UpgradeRouter(app))
    return router
  }

  /** Returns whether a chat of the app has begun to close: the app closes all its chats together. */
  isClosing (app: FastifyInstance): boolean {
    for (const chat of this.#chats) if (chat.closing && appKey(chat.app) === appKey(app)) return true
    return false
  }

  #handle (request: IncomingMessage, socket: Duplex, head: Buffer, pass: () => void): void {
    const [first] = this.#chats as unknown as [UpgradeOwner]
    destroyOnError(socket)
    const earlier = responseUnderWay(socket)
    if (earlier !== undefined) return this.#refusePipelined(earlier, request, socket, first)
    const found = this.#find(request)
    if (found === malformed) return first.refuse(request, socket, new BadHandshake('the path is invalid'))
    if (found !== undefined) return found(request, socket, head)
    if (this.#server.listenerCount('upgrade') > 1) return first.pass(request, socket, head, pass)
    // Without a listener, Node would also let the app's routes handle the upgrade as a request.
    first.dispatch(request, socket, head, checkBody)
  }

  #find (request: IncomingMessage): UpgradeHandler | typeof malformed | undefined {
    let found: UpgradeHandler | typeof malformed | undefined
    for (const router of this.#routers.values()) {
      try {
        found = router.find(request) ?? found
      } catch { /* `rewriteUrl` or a constraint of the app threw. The app's router reports the error. */ }
      if (typeof found === 'function') return found
    }
    return found
  }

  /**
   * Refuses an upgrade that was sent before the response to an earlier request. No listener could answer it, and some would
   * throw. If the earlier response has begun, the client would read a refusal as part of it, so the socket is destroyed.
   */
  #refusePipelined (earlier: ServerResponse, request: IncomingMessage, socket: Duplex, chat: UpgradeOwner): void {
    const error = new BadHandshake('an earlier request has no response yet')
    if (earlier.headersSent) chat.terminate(request, socket, error)
    else chat.refuse(request, socket, error)
  }
}
