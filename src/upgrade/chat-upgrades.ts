import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyError } from '@fastify/error'
import type { FastifyInstance, RouteOptions } from 'fastify'
import type { Address } from '../connection/address.ts'
import { Stopping, TooManyHandshakes, UpgradeFailed } from '../errors.ts'
import type { RefusalLog } from '../observability/refusal-log.ts'
import { unknownAddressWarning } from './app-warnings.ts'
import type { ConnectionLimits } from './connection-limits.ts'
import { checkHandshake } from './handshake.ts'
import { assignResponse, requestAddress, responseUnderWay } from './internals/index.ts'
import { PendingUpgrades } from './pending-upgrades.ts'
import { reportRefused } from './refused-request.ts'
import { ServerUpgrades, type UpgradeHandler, type UpgradeOwner } from './server-upgrades.ts'

export interface UpgradeSettings {
  /** maximum ms from the request to the upgraded connection */
  readonly handshakeTimeout: number
  /** maximum number of upgrades in progress at once */
  readonly handshakes: number
}

/**
 * The upgrades of one chat's routes. The first chat of a server also receives upgrades that match no route of any chat.
 */
export class ChatUpgrades implements UpgradeOwner {
  readonly pending: PendingUpgrades
  /** Upgrades that were passed to other listeners of the server. */
  readonly passed: PendingUpgrades
  readonly app: FastifyInstance
  readonly #server: ServerUpgrades
  readonly #limits: ConnectionLimits
  readonly #handshakes: number
  readonly #warnIfUnknown: ReturnType<typeof unknownAddressWarning>
  closing = false

  constructor (app: FastifyInstance, limits: ConnectionLimits, refusals: RefusalLog, { handshakeTimeout: timeout, handshakes }: UpgradeSettings) {
    this.app = app
    this.#limits = limits
    this.#handshakes = handshakes
    this.#warnIfUnknown = unknownAddressWarning(app)
    const cancel = limits.cancel.bind(limits)
    const refused = (request: IncomingMessage, error: FastifyError) => reportRefused(refusals, app, request, error)
    this.pending = new PendingUpgrades({ timeout, refused, cancel })
    this.passed = new PendingUpgrades({ timeout, refused, cancel })
    this.#server = ServerUpgrades.of(app.server)
    this.#server.add(this)
  }

  /** Dispatches the upgrades of a path of this chat. */
  addPath (path: string, constraints: RouteOptions['constraints']): void {
    this.#server.routerOf(this.app).add(path, constraints, (request, socket, head) => this.dispatch(request, socket, head, checkHandshake))
  }

  /** Passes the upgrades of another route of the app to a handler. */
  addRoute (path: string, constraints: RouteOptions['constraints'], handle: UpgradeHandler): void {
    this.#server.routerOf(this.app).add(path, constraints, (request, socket, head) => this.pass(request, socket, head, () => handle(request, socket, head)))
  }

  /**
   * Counts an upgrade in the limits and routes it in the app, or refuses it.
   * @param check throws the error to refuse it with
   */
  dispatch (request: IncomingMessage, socket: Duplex, head: Buffer, check: (request: IncomingMessage) => void): void {
    try {
      if (this.#server.isClosing(this.app)) throw new Stopping()
      check(request)
      const address = requestAddress(this.app, request)
      this.#warnIfUnknown(address, socket)
      this.pending.add(request, { socket, head, reservation: this.#limits.reserve(address, request) })
    } catch (error) {
      return this.pending.refuseSocket(request, socket, error as FastifyError)
    }
    try {
      const response = assignResponse(request, socket)
      response.once('finish', () => this.pending.onResponse(request))
      this.app.routing(request, response)
    } catch (error) {
      this.pending.refuse(request, new UpgradeFailed((error as Error).message))
    }
  }

  /** Passes an upgrade to other listeners, and ends it if none of them accepts it. @param emit calls the listeners */
  pass (request: IncomingMessage, socket: Duplex, head: Buffer, emit: () => void): void {
    this.passed.add(request, { socket, head })
    try {
      emit()
    } catch (error) {
      // Not rethrown: an uncaught error would end the process, and any client could cause it.
      this.passed.refuse(request, new UpgradeFailed((error as Error).message))
    }
    if (this.passed.removeIfAccepted(request)) return
    responseUnderWay(socket)?.once('finish', () => this.passed.onResponse(request))
    if (this.passed.size > this.#handshakes) this.passed.refuseOldest(new TooManyHandshakes())
  }

  /** Refuses an upgrade that was neither dispatched nor passed. */
  refuse (request: IncomingMessage, socket: Duplex, error: FastifyError): void { this.pending.refuseSocket(request, socket, error) }

  /** Destroys the socket of a refused upgrade without a response. */
  terminate (request: IncomingMessage, socket: Duplex, error: FastifyError): void { this.pending.terminate(request, socket, error) }

  /** Called when a dispatched upgrade became a connection. The caller must release the address when the connection ends. */
  accept (request: IncomingMessage): { readonly socket: Duplex, readonly address: Address } {
    const { socket, reservation } = this.pending.accept(request)!
    this.#limits.promote(reservation!)
    return { socket, address: reservation!.address }
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

  /** Closes the chat's upgrades and removes it from the server, which is restored after its last chat. */
  remove (): void {
    this.close(0)
    this.#server.remove(this)
  }
}
