import type { Connection } from '../../connection/connection.ts'
import { CloseCode } from '../../protocol.ts'

/** Maximum delay of a timer, in ms. */
const LONGEST_TIMER = 2 ** 31 - 1

/** Closes a connection when its authentication expires. */
export class Expiry {
  readonly #connection: Connection
  readonly #at: number
  #timer: NodeJS.Timeout | undefined

  /** @param at ms since the Unix epoch */
  constructor (connection: Connection, at: number) {
    this.#connection = connection
    this.#at = at
    this.#check()
  }

  cancel (): void { clearTimeout(this.#timer) }

  #check (): void {
    const left = this.#at - Date.now()
    if (left <= 0) this.#connection.close(CloseCode.unauthenticated, 'the authentication has expired')
    else this.#timer = setTimeout(() => this.#check(), Math.min(left, LONGEST_TIMER)).unref()
  }
}
