import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { normalizeAddress } from '../addresses.ts'
import { TooManyConnections, TooManyFromAddress, TooManyHandshakes } from '../errors.ts'
import { Rate, TokenBucket } from '../token-bucket.ts'

export interface DoorLimits {
  /** open at once */
  readonly connections: number
  /** of them from one address */
  readonly connectionsPerAddress: number
  /** upgrades under way at once */
  readonly handshakes: number
  /** upgrades a second, and how many more at once after a pause */
  readonly handshakeRate: number
  readonly handshakeBurst: number
}

/** Where connections come from, and how many do. name: empty where that can't be known. */
export interface Address { readonly name: string, connections: number }

/** Lets upgrades in while there is room: each counts from its request to the end of its connection. */
export class Door {
  readonly #limits: DoorLimits
  readonly #addresses = new Map<string, Address>()
  /** Those that are no connections yet. */
  readonly #entering = new Map<IncomingMessage, Address>()
  readonly #handshakes: TokenBucket
  #inside = 0

  constructor (limits: DoorLimits) {
    this.#limits = limits
    this.#handshakes = new TokenBucket(new Rate(limits.handshakeRate, limits.handshakeBurst))
  }

  /** @throws TooManyConnections, TooManyFromAddress, TooManyHandshakes */
  enter (request: FastifyRequest): void {
    const { connections, connectionsPerAddress, handshakes } = this.#limits
    if (this.#inside >= connections) throw new TooManyConnections()
    const name = nameOf(request)
    const address = this.#addresses.get(name) ?? { name, connections: 0 }
    if (name !== '' && address.connections >= connectionsPerAddress) throw new TooManyFromAddress()
    if (this.#entering.size >= handshakes || this.#handshakes.take(1) > 0) throw new TooManyHandshakes()
    this.#inside++
    address.connections++
    this.#addresses.set(name, address)
    this.#entering.set(request.raw, address)
  }

  /** It became a connection, which is to leave at its end. */
  settle (request: IncomingMessage): Address {
    const address = this.#entering.get(request)!
    this.#entering.delete(request)
    return address
  }

  /** It ended before it was a connection. */
  abandon (request: IncomingMessage): void {
    const address = this.#entering.get(request)
    if (address === undefined) return
    this.#entering.delete(request)
    this.leave(address)
  }

  leave (address: Address): void {
    this.#inside--
    if (--address.connections === 0) this.#addresses.delete(address.name)
  }
}

/** Whatever is no address is one: a client that may choose what its proxy says of it gains nothing by it. */
function nameOf (request: FastifyRequest): string {
  let ip: string | undefined
  try {
    ip = request.ip
  } catch { /* injected, without a socket, under trustProxy */ }
  return ip === undefined ? '' : normalizeAddress(ip) ?? 'unknown'
}
