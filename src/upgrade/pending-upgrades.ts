import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyError } from '@fastify/error'
import type { Address } from '../connection/address.ts'
import { HandshakeTimeout, Stopping, UpgradeNotHandled } from '../errors.ts'
import type { RefusalLog } from '../observability/refusal-log.ts'
import { endSocket, writeRefusal } from './http-refusal.ts'
import { responseUnderWay } from './internals.ts'

export interface PendingUpgradesOptions {
  /** ms after which an upgrade is ended if it is still pending */
  readonly timeout: number
  readonly refusals: RefusalLog
}

export interface Upgrade {
  readonly socket: Duplex
  readonly head: Buffer
  /** Address of the client, if the upgrade counts in the connection limits. */
  readonly address?: Address
  /** Bytes of memory of its request, if the upgrade counts in the connection limits. */
  readonly bytes?: number
  /** Called when the upgrade ends without becoming a connection. */
  readonly abandoned?: () => void
}

interface Pending extends Upgrade {
  readonly written: number
  readonly deadline: NodeJS.Timeout
  readonly onClose: () => void
}

/**
 * Upgrades that have not become connections yet. Node doesn't track their sockets: after an HTTP response such a socket
 * stays open and keeps the server from closing. This class ends every one of them.
 */
export class PendingUpgrades {
  readonly #pending = new Map<IncomingMessage, Pending>()
  readonly #options: PendingUpgradesOptions
  /** Time, as `performance.now()`, by which all upgrades must have ended. */
  #lastDeadline = Infinity

  constructor (options: PendingUpgradesOptions) {
    this.#options = options
  }

  get size (): number { return this.#pending.size }

  /** Returns the pending upgrade of a request. */
  get (request: IncomingMessage): Upgrade | undefined { return this.#pending.get(request) }

  /** Ends an upgrade after the timeout, unless `settle` or `answered` is called first. */
  add (request: IncomingMessage, upgrade: Upgrade): void {
    const timeout = Math.min(this.#options.timeout, this.#lastDeadline - performance.now())
    const deadline = setTimeout(() => this.#end(request, timeoutError(upgrade.socket)), timeout).unref()
    const onClose = () => this.#abandon(request)
    this.#pending.set(request, { ...upgrade, written: bytesWritten(upgrade.socket), deadline, onClose })
    upgrade.socket.once('close', onClose)
  }

  /** Forgets an upgrade that became a connection. The owner of the connection ends it and handles its errors. */
  settle (request: IncomingMessage): Upgrade | undefined {
    const upgrade = this.#forget(request)
    if (upgrade !== undefined) unguard(upgrade.socket)
    return upgrade
  }

  /** Forgets an upgrade that another listener has taken. Returns false if the upgrade is still pending. */
  settleIfTaken (request: IncomingMessage): boolean {
    const { socket } = this.#pending.get(request) ?? {}
    return socket === undefined || (taken(socket) && this.settle(request) !== undefined)
  }

  /** Called when the HTTP response to an upgrade is complete. Ends the socket. */
  answered (request: IncomingMessage): void {
    const { socket } = this.#abandon(request) ?? {}
    if (socket !== undefined && !taken(socket)) endSocket(socket)
  }

  /** Ends an upgrade with this error. If a response is assigned to its socket, only counts and logs the error. */
  refuse (request: IncomingMessage, error: FastifyError): void {
    const { socket } = this.#pending.get(request) ?? {}
    if (socket === undefined) return
    if (responseUnderWay(socket) === undefined) this.#end(request, error)
    else this.#options.refusals.refused(error.code, error.message)
  }

  /** Ends the upgrade that has waited longest. */
  refuseOldest (error: FastifyError): void {
    const [oldest] = this.#pending.keys()
    if (oldest !== undefined) this.#end(oldest, error)
  }

  /** Refuses an upgrade that isn't pending here, and ends its socket. */
  refuseSocket (socket: Duplex, error: FastifyError): void {
    this.#options.refusals.refused(error.code, error.message)
    writeRefusal(socket, error)
  }

  /** Refuses an upgrade that can't get a response, and destroys its socket. */
  terminate (socket: Duplex, { code, message }: FastifyError): void {
    this.#options.refusals.refused(code, message)
    socket.destroy()
  }

  /**
   * Ends all pending upgrades.
   * @param timeout ms from now until upgrades added later are ended
   */
  close (timeout: number): void {
    this.#lastDeadline = performance.now() + timeout
    for (const request of this.#pending.keys()) this.#end(request, new Stopping())
  }

  #forget (request: IncomingMessage): Pending | undefined {
    const pending = this.#pending.get(request)
    if (pending === undefined) return undefined
    this.#pending.delete(request)
    clearTimeout(pending.deadline)
    // The listener would keep the request alive as long as the socket.
    pending.socket.off('close', pending.onClose)
    return pending
  }

  #abandon (request: IncomingMessage): Pending | undefined {
    const pending = this.#forget(request)
    pending?.abandoned?.()
    return pending
  }

  #end (request: IncomingMessage, error: FastifyError): void {
    const { socket, written } = this.#abandon(request)!
    if (taken(socket)) unguard(socket)
    else if (bytesWritten(socket) === written) this.refuseSocket(socket, error)
    else endSocket(socket)
  }
}

/** Handles errors of a socket. Node removes its own listener before `upgrade`, so a reset would be an uncaught exception. */
export function guard (socket: Duplex): void { socket.on('error', destroy) }

export function unguard (socket: Duplex): void { socket.off('error', destroy) }

function destroy (this: Duplex): void { this.destroy() }

/** Returns true if the socket has a reader: the listener that upgraded it. */
function taken (socket: Duplex): boolean {
  return socket.listenerCount('data') > 0 || socket.listenerCount('readable') > 0
}

function timeoutError (socket: Duplex): FastifyError {
  return responseUnderWay(socket) === undefined ? new UpgradeNotHandled() : new HandshakeTimeout()
}

function bytesWritten (socket: Duplex): number {
  return (socket as Duplex & { bytesWritten?: number }).bytesWritten ?? 0
}
