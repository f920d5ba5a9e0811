import type { ByteBudget, Debtor } from './byte-budget.ts'

/** Bytes that a message, or a piece of one, takes beside its content: its buffer, and what leads to it. */
const OVERHEAD = 512

/** Bytes that a message, or a piece of one, is charged. */
export function costOf ({ length }: Uint8Array): number { return length + OVERHEAD }

/** What came from one connection and is not handled yet: it is charged to the process. */
export class Received implements Debtor {
  readonly #budget: ByteBudget
  readonly #end: () => void
  #owed = 0

  /** @param end ends the connection */
  constructor (budget: ByteBudget, end: () => void) {
    this.#budget = budget
    this.#end = end
  }

  get owed (): number { return this.#owed }

  /** Charges bytes, or gives them back. @param bytes negative for what is given back */
  charge (bytes: number): void {
    if (bytes <= 0) return this.giveBack(-bytes)
    this.#owed += bytes
    this.#budget.charge(bytes)
  }

  /** What is owed no more once it was cut off is not given back twice. */
  giveBack (bytes: number): void {
    const owed = Math.min(bytes, this.#owed)
    this.#owed -= owed
    this.#budget.giveBack(owed)
  }

  cutOff (): void {
    this.giveBack(this.#owed)
    this.#end()
  }
}
