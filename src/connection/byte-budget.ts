/** An object with bytes that are charged to a budget. */
export interface ByteHolder {
  /** Bytes held now. */
  readonly bytes: number
  /** Releases all its bytes. A holder that belongs to a connection also terminates the connection. */
  evict (): void
}

/** Limits the bytes of one kind that the process holds for all connections together. */
export class ByteBudget {
  readonly #limit: number
  readonly #holders: () => Iterable<ByteHolder>
  #charged = 0
  /** Number of holders of each shared buffer. */
  readonly #shared = new Map<Uint8Array, number>()

  /** @param limit bytes */
  constructor (limit: number, holders: () => Iterable<ByteHolder>) {
    this.#limit = limit
    this.#holders = holders
  }

  /**
   * Charges bytes to the budget. Above the limit, evicts the holder of the most bytes, which may not be the one that was
   * charged last.
   */
  charge (bytes: number): void {
    this.#charged += bytes
    while (this.#charged > this.#limit) {
      let largest: ByteHolder | undefined
      for (const holder of this.#holders()) {
        if (holder.bytes > (largest?.bytes ?? 0)) largest = holder
      }
      if (largest === undefined) return
      largest.evict()
    }
  }

  release (bytes: number): void { this.#charged -= bytes }

  /** Charges a shared buffer, once for all its holders. */
  chargeShared (buffer: Uint8Array): void {
    const holders = this.#shared.get(buffer) ?? 0
    this.#shared.set(buffer, holders + 1)
    if (holders === 0) this.charge(buffer.length)
  }

  /** Releases a shared buffer for one of its holders. */
  releaseShared (buffer: Uint8Array): void {
    const holders = this.#shared.get(buffer)!
    if (holders > 1) {
      this.#shared.set(buffer, holders - 1)
    } else {
      this.#shared.delete(buffer)
      this.release(buffer.length)
    }
  }
}

/** A holder that charges what it keeps for one client. Extended, because an object of its own for each holder would take 40 bytes more. */
export abstract class ChargingHolder implements ByteHolder {
  readonly #budget: ByteBudget
  #charged = 0

  constructor (budget: ByteBudget) {
    this.#budget = budget
  }

  /** Bytes charged. */
  get bytes (): number { return this.#charged }

  charge (bytes: number): void {
    // First, because the budget may evict this holder.
    this.#charged += bytes
    this.#budget.charge(bytes)
  }

  /** Releases at most the charged bytes, so that a release that follows `releaseAll` changes nothing. */
  release (bytes: number): void {
    const released = Math.min(bytes, this.#charged)
    this.#charged -= released
    this.#budget.release(released)
  }

  releaseAll (): void { this.release(this.#charged) }

  abstract evict (): void
}
