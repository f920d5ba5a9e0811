import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyError } from '@fastify/error'
import type { Address } from '../connection/address.ts'
import { HandshakeTimeout, Stopping, UpgradeNotHandled } from '../errors.ts'
import type { RefusalLog } from '../observability/refusal-log.ts'
import { endSocket, writeRefusal } from './http-refusal.ts'
import { responseUnderWay } from './internals.ts'

export interface PendingUpgradesOptions {
  /** ms after which an upgrade that nobody took is ended */
  readonly timeout: number
  readonly refusals: RefusalLog
}

export interface Upgrade {
  readonly socket: Duplex
  readonly head: Buffer
  /** The client's, of an upgrade that counts in the connection limits. */
  readonly address?: Address
  /** Bytes of memory of its request, likewise. */
  readonly bytes?: number
  /** Called when it ends otherwise than as a connection. */
  readonly abandoned?: () => void
}

interface Pending extends Upgrade {
  readonly written: number
  readonly deadline: NodeJS.Timeout
  readonly gone: () => void
}

/**
 * Upgrades that have not become a connection yet. Node hands their sockets over and forgets them: an answer by HTTP
 * leaves such a socket open for good, and the server with it. Here every one of them ends.
 */
export class PendingUpgrades {
  readonly #pending = new Map<IncomingMessage, Pending>()
  readonly #options: PendingUpgradesOptions
  /** When the last one is ended. */
  #end = Infinity

  constructor (options: PendingUpgradesOptions) {
    this.#options = options
  }

  get size (): number { return this.#pending.size }

  /** Returns an upgrade that is under way. */
  get (request: IncomingMessage): Upgrade | undefined { return this.#pending.get(request) }

  /** Ends an upgrade after the timeout, unless `settle` or `answered` is called before. */
  add (request: IncomingMessage, upgrade: Upgrade): void {
    const timeout = Math.min(this.#options.timeout, this.#end - performance.now())
    const deadline = setTimeout(() => this.#giveUp(request, overdue(upgrade.socket)), timeout).unref()
    const gone = () => this.#abandon(request)
    this.#pending.set(request, { ...upgrade, written: bytesWritten(upgrade.socket), deadline, gone })
    upgrade.socket.once('close', gone)
  }

  /** Forgets an upgrade that became a connection: its owner ends it, and listens for its errors. */
  settle (request: IncomingMessage): Upgrade | undefined {
    const upgrade = this.#forget(request)
    if (upgrade !== undefined) unguard(upgrade.socket)
    return upgrade
  }

  /** Forgets an upgrade that another listener has taken. */
  settleIfTaken (request: IncomingMessage): boolean {
    const { socket } = this.#pending.get(request) ?? {}
    return socket === undefined || (taken(socket) && this.settle(request) !== undefined)
  }

  /** Ends an upgrade that was answered by HTTP: nothing more comes on it. */
  answered (request: IncomingMessage): void {
    const { socket } = this.#abandon(request) ?? {}
    if (socket !== undefined && !taken(socket)) endSocket(socket)
  }

  /** Ends an upgrade with this error, unless it is answered already. */
  refuse (request: IncomingMessage, error: FastifyError): void {
    const { socket } = this.#pending.get(request) ?? {}
    if (socket === undefined) return
    if (responseUnderWay(socket) === undefined) this.#giveUp(request, error)
    else this.#options.refusals.refused(error.code, error.message)
  }

  /** Ends the upgrade that has waited for longest. */
  refuseOldest (error: FastifyError): void {
    const [oldest] = this.#pending.keys()
    if (oldest !== undefined) this.#giveUp(oldest, error)
  }

  /** Answers an upgrade that was not added, and ends its socket. */
  turnAway (socket: Duplex, error: FastifyError): void {
    this.#options.refusals.refused(error.code, error.message)
    writeRefusal(socket, error)
  }

  /** Ends the socket of an upgrade that can't be answered. */
  terminate (socket: Duplex, { code, message }: FastifyError): void {
    this.#options.refusals.refused(code, message)
    socket.destroy()
  }

  /**
   * Ends all that are under way.
   * @param timeout ms after which those that are added later are ended
   */
  close (timeout: number): void {
    this.#end = performance.now() + timeout
    for (const request of this.#pending.keys()) this.#giveUp(request, new Stopping())
  }

  #forget (request: IncomingMessage): Pending | undefined {
    const pending = this.#pending.get(request)
    if (pending === undefined) return undefined
    this.#pending.delete(request)
    clearTimeout(pending.deadline)
    // It would keep the request as long as the socket.
    pending.socket.off('close', pending.gone)
    return pending
  }

  #abandon (request: IncomingMessage): Pending | undefined {
    const pending = this.#forget(request)
    pending?.abandoned?.()
    return pending
  }

  #giveUp (request: IncomingMessage, error: FastifyError): void {
    const { socket, written } = this.#abandon(request)!
    if (taken(socket)) unguard(socket)
    else if (bytesWritten(socket) === written) this.turnAway(socket, error)
    else endSocket(socket)
  }
}

/** Node takes its own error listener off before it emits `upgrade`: a reset would be an uncaught exception. */
export function guard (socket: Duplex): void { socket.on('error', destroy) }

export function unguard (socket: Duplex): void { socket.off('error', destroy) }

function destroy (this: Duplex): void { this.destroy() }

/** Whoever upgraded a socket reads it. */
function taken (socket: Duplex): boolean {
  return socket.listenerCount('data') > 0 || socket.listenerCount('readable') > 0
}

function overdue (socket: Duplex): FastifyError {
  return responseUnderWay(socket) === undefined ? new UpgradeNotHandled() : new HandshakeTimeout()
}

function bytesWritten (socket: Duplex): number {
  return (socket as Duplex & { bytesWritten?: number }).bytesWritten ?? 0
}
