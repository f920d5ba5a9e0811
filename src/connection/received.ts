import type { ByteBudget, Debtor } from './byte-budget.ts'

/** Bytes of memory of a message, or of a piece of one, without its content: its buffer and the references to it. */
const OVERHEAD = 512

/** Returns the bytes charged for a message or a piece of one. */
export function costOf ({ length }: Uint8Array): number { return length + OVERHEAD }

/** Charges to the process the input of one connection that isn't handled yet. */
export class Received implements Debtor {
  readonly #budget: ByteBudget
  readonly #end: () => void
  #charged = 0

  /** @param end ends the connection */
  constructor (budget: ByteBudget, end: () => void) {
    this.#budget = budget
    this.#end = end
  }

  get owed (): number { return this.#charged }

  /** Charges bytes, or releases them. @param bytes negative to release */
  charge (bytes: number): void {
    if (bytes <= 0) return this.giveBack(-bytes)
    this.#charged += bytes
    this.#budget.charge(bytes)
  }

  /** Releases at most the charged bytes, so that nothing is released twice after `cutOff`. */
  giveBack (bytes: number): void {
    const released = Math.min(bytes, this.#charged)
    this.#charged -= released
    this.#budget.giveBack(released)
  }

  cutOff (): void {
    this.giveBack(this.#charged)
    this.#end()
  }
}
