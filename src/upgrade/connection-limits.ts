import type { IncomingMessage } from 'node:http'
import { normalizeAddress, type Address } from '../connection/address.ts'
import { TooManyConnections, TooManyFromAddress, TooManyHandshakes } from '../errors.ts'
import { tickTime } from '../connection/tick.ts'
import { Rate, TokenBucket } from '../connection/token-bucket.ts'

export interface ConnectionLimitSettings {
  /** maximum number of connections open at once */
  readonly connections: number
  /** maximum number of connections open at once from one address */
  readonly connectionsPerAddress: number
  /** maximum number of upgrades in progress at once */
  readonly handshakes: number
  /** maximum number of upgrades accepted per second */
  readonly handshakeRate: number
  /** maximum number of upgrades accepted at once after a pause */
  readonly handshakeBurst: number
}

/** An upgrade that counts in the limits and is not a connection yet. */
export interface Reservation {
  readonly address: Address
  /** bytes of memory of its request */
  readonly bytes: number
}

/** Bytes of memory of an upgrade request with its Fastify objects, measured with --expose-gc on Node 20. */
const REQUEST = 6 * 1024

/** Bytes of memory of a header name or value without its text. A request with 16 KiB of one-letter headers uses 96 KiB. */
const HEADER = 48

/** Bytes of memory for the requests of pending upgrades, per permitted upgrade. A request of maximum size uses three times this. */
const REQUEST_BYTES = 32 * 1024

/** Returns the bytes of memory that a kept request uses. An injected request has no raw headers. */
export function requestCost ({ rawHeaders = [], url = '' }: Partial<Pick<IncomingMessage, 'rawHeaders' | 'url'>>): number {
  return rawHeaders.reduce((sum, text) => sum + HEADER + text.length, REQUEST + url.length)
}

/** Limits upgrades and connections. An upgrade is counted from its request to the end of its connection. */
export class ConnectionLimits {
  readonly #settings: ConnectionLimitSettings
  readonly #addresses = new Map<string, Address>()
  readonly #rate: TokenBucket
  #handshakes = 0
  /** Bytes of memory of the requests of upgrades in progress. */
  #requestBytes = 0
  #connections = 0

  constructor (settings: ConnectionLimitSettings, now = tickTime) {
    this.#settings = settings
    this.#rate = new TokenBucket(new Rate(settings.handshakeRate, settings.handshakeBurst, now))
  }

  /**
   * Counts an upgrade. The caller must call `promote` or `cancel` afterwards.
   * @param ip the client's address; undefined if unknown, which exempts it from the limit per address
   * @throws TooManyConnections, TooManyFromAddress, TooManyHandshakes
   */
  reserve (ip: string | undefined, request: IncomingMessage): Reservation {
    const bytes = requestCost(request)
    const { connections, connectionsPerAddress, handshakes } = this.#settings
    if (this.#connections >= connections) throw new TooManyConnections()
    // Everything that isn't an IP address shares one limit, so that a spoofed header has no effect.
    const name = ip === undefined ? '' : normalizeAddress(ip) ?? 'unknown'
    const address = this.#addresses.get(name) ?? { name, connections: 0 }
    if (name !== '' && address.connections >= connectionsPerAddress) throw new TooManyFromAddress()
    const full = this.#handshakes >= handshakes || (this.#handshakes > 0 && this.#requestBytes + bytes > handshakes * REQUEST_BYTES)
    if (full || this.#rate.take(1) > 0) throw new TooManyHandshakes()
    this.#handshakes++
    this.#requestBytes += bytes
    this.#connections++
    address.connections++
    this.#addresses.set(name, address)
    return { address, bytes }
  }

  /** Called when an upgrade became a connection. The caller must call `release` when the connection ends. */
  promote ({ bytes }: Reservation): void {
    this.#handshakes--
    this.#requestBytes -= bytes
  }

  /** Called when an upgrade ended without becoming a connection. */
  cancel (reservation: Reservation): void {
    this.promote(reservation)
    this.release(reservation.address)
  }

  /** Called at the end of a connection. */
  release (address: Address): void {
    this.#connections--
    if (--address.connections === 0) this.#addresses.delete(address.name)
  }
}
