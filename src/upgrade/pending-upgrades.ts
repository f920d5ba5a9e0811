import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyError } from '@fastify/error'
import { HandshakeTimeout, Stopping, UpgradeNotHandled } from '../errors.ts'
import { endSocket, writeRefusal } from './http-refusal.ts'
import { responseUnderWay } from './internals/index.ts'
import type { Reservation } from './connection-limits.ts'

export interface PendingUpgradesOptions {
  /** ms after which an upgrade is ended if it is still pending */
  readonly timeout: number
  /** Counts and logs a refusal. */
  readonly refused: (request: IncomingMessage, error: FastifyError) => void
  /** Called when an upgrade with a reservation ends without becoming a connection. */
  readonly cancel: (reservation: Reservation) => void
}

export interface Upgrade {
  readonly socket: Duplex
  readonly head: Buffer
  /** Set if the upgrade counts in the connection limits. */
  readonly reservation?: Reservation
}

interface Pending extends Upgrade {
  readonly written: number
  readonly deadline: NodeJS.Timeout
  readonly onClose: () => void
}

/**
 * Upgrades that have not become connections yet. Node doesn't track their sockets. After an HTTP response, such a socket
 * stays open and prevents the server from closing. This class ends all these sockets.
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

  /** Ends an upgrade after the timeout, unless `accept` or `onResponse` is called first. */
  add (request: IncomingMessage, upgrade: Upgrade): void {
    const timeout = Math.min(this.#options.timeout, this.#lastDeadline - performance.now())
    const deadline = setTimeout(() => this.#end(request, timeoutError(upgrade.socket)), timeout).unref()
    const onClose = () => this.#cancel(request)
    this.#pending.set(request, { ...upgrade, written: bytesWritten(upgrade.socket), deadline, onClose })
    upgrade.socket.once('close', onClose)
  }

  /** Removes an upgrade that became a connection. The owner of the connection ends it and handles its errors. */
  accept (request: IncomingMessage): Upgrade | undefined {
    const upgrade = this.#remove(request)
    if (upgrade !== undefined) stopDestroyingOnError(upgrade.socket)
    return upgrade
  }

  /** Removes an upgrade that another listener has accepted. Returns false if the upgrade is still pending. */
  removeIfAccepted (request: IncomingMessage): boolean {
    const { socket } = this.#pending.get(request) ?? {}
    return socket === undefined || (isRead(socket) && this.accept(request) !== undefined)
  }

  /** Called when the HTTP response to an upgrade is complete. Ends the socket. */
  onResponse (request: IncomingMessage): void {
    const { socket } = this.#cancel(request) ?? {}
    if (socket !== undefined && !isRead(socket)) endSocket(socket)
  }

  /** Ends an upgrade with an error. If a response is assigned to its socket, only counts and logs the error. */
  refuse (request: IncomingMessage, error: FastifyError): void {
    const { socket } = this.#pending.get(request) ?? {}
    if (socket === undefined) return
    if (responseUnderWay(socket) === undefined) this.#end(request, error)
    else this.#options.refused(request, error)
  }

  /** Ends the upgrade that has been pending longest. */
  refuseOldest (error: FastifyError): void {
    const [oldest] = this.#pending.keys()
    if (oldest !== undefined) this.#end(oldest, error)
  }

  /** Refuses an upgrade that isn't pending here, and ends its socket. */
  refuseSocket (request: IncomingMessage, socket: Duplex, error: FastifyError): void {
    this.#options.refused(request, error)
    writeRefusal(socket, error)
  }

  /** Refuses an upgrade that can't get a response, and destroys its socket. */
  terminate (request: IncomingMessage, socket: Duplex, error: FastifyError): void {
    this.#options.refused(request, error)
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

  #remove (request: IncomingMessage): Pending | undefined {
    const pending = this.#pending.get(request)
    if (pending === undefined) return undefined
    this.#pending.delete(request)
    clearTimeout(pending.deadline)
    // The listener would keep the request alive as long as the socket.
    pending.socket.off('close', pending.onClose)
    return pending
  }

  #cancel (request: IncomingMessage): Pending | undefined {
    const pending = this.#remove(request)
    if (pending?.reservation !== undefined) this.#options.cancel(pending.reservation)
    return pending
  }

  #end (request: IncomingMessage, error: FastifyError): void {
    const { socket, written } = this.#cancel(request)!
    if (isRead(socket)) stopDestroyingOnError(socket)
    else if (bytesWritten(socket) === written) this.refuseSocket(request, socket, error)
    else endSocket(socket)
  }
}

/** Handles errors of a socket. Node removes its own listener before `upgrade`, so a reset would be an uncaught exception. */
export function destroyOnError (socket: Duplex): void { socket.on('error', destroy) }

function stopDestroyingOnError (socket: Duplex): void { socket.off('error', destroy) }

function destroy (this: Duplex): void { this.destroy() }

/** Returns true if the socket has a reader: the listener that accepted the upgrade. */
function isRead (socket: Duplex): boolean {
  return socket.listenerCount('data') > 0 || socket.listenerCount('readable') > 0
}

function timeoutError (socket: Duplex): FastifyError {
  return responseUnderWay(socket) === undefined ? new UpgradeNotHandled() : new HandshakeTimeout()
}

function bytesWritten (socket: Duplex): number {
  return (socket as Duplex & { bytesWritten?: number }).bytesWritten ?? 0
}
