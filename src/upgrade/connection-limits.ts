import { normalizeAddress, type Address } from '../connection/address.ts'
import { TooManyConnections, TooManyFromAddress, TooManyHandshakes } from '../errors.ts'
import { Rate, TokenBucket } from '../connection/token-bucket.ts'

export interface ConnectionLimitSettings {
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

/** Bytes of memory that the requests of upgrades under way take, for each that may be; 16 KiB of one-letter headers take three times as many. */
const REQUEST_BYTES = 32 * 1024

/** Accepts upgrades while there is room. Each counts from its request to the end of its connection. */
export class ConnectionLimits {
  readonly #settings: ConnectionLimitSettings
  readonly #addresses = new Map<string, Address>()
  readonly #rate: TokenBucket
  #handshakes = 0
  /** Bytes of their requests. */
  #requests = 0
  #connections = 0

  constructor (settings: ConnectionLimitSettings) {
    this.#settings = settings
    this.#rate = new TokenBucket(new Rate(settings.handshakeRate, settings.handshakeBurst))
  }

  /**
   * Counts an upgrade. `established` or `abandon` must follow.
   * @param ip the client's address; undefined where it can't be known, and then it isn't counted by address
   * @param bytes of memory of its request
   * @throws TooManyConnections, TooManyFromAddress, TooManyHandshakes
   */
  enter (ip: string | undefined, bytes: number): Address {
    const { connections, connectionsPerAddress, handshakes } = this.#settings
    if (this.#connections >= connections) throw new TooManyConnections()
    // Everything that isn't an IP address shares one bucket: a client may choose what its proxy reports.
    const name = ip === undefined ? '' : normalizeAddress(ip) ?? 'unknown'
    const address = this.#addresses.get(name) ?? { name, connections: 0 }
    if (name !== '' && address.connections >= connectionsPerAddress) throw new TooManyFromAddress()
    const full = this.#handshakes >= handshakes || (this.#handshakes > 0 && this.#requests + bytes > handshakes * REQUEST_BYTES)
    if (full || this.#rate.take(1) > 0) throw new TooManyHandshakes()
    this.#handshakes++
    this.#requests += bytes
    this.#connections++
    address.connections++
    this.#addresses.set(name, address)
    return address
  }

  /** Called when an upgrade became a connection; `leave` must follow at its end. @param bytes as it entered with */
  established (bytes: number): void {
    this.#handshakes--
    this.#requests -= bytes
  }

  /** Called when an upgrade ended before it became a connection. @param bytes as it entered with */
  abandon (address: Address, bytes: number): void {
    this.established(bytes)
    this.leave(address)
  }

  /** Called at the end of a connection. */
  leave (address: Address): void {
    this.#connections--
    if (--address.connections === 0) this.#addresses.delete(address.name)
  }
}
