import type { Writer } from '../../connection/writer.ts'

/** An acknowledgement that waits for the entry with this offset, or for the change with this number. */
interface Ack { readonly number: number, readonly id: string, readonly text: string }

const NONE: Ack[] = []

/**
 * The posts of a member in one room that weren't sent to it yet, or its changes, and their acknowledgements. Charges those to the
 * writer.
 */
export class UndeliveredRequests {
  readonly #writer: Pick<Writer, 'reply' | 'charge' | 'release'>
  /** Requests whose outcome is unknown yet. */
  #unsettled = 0
  /** Number of the last stored entry or change that wasn't sent; 0 for none. */
  #last = 0
  #acks = NONE
  /** Called when all were sent. */
  #onDelivered: (() => void) | undefined

  constructor (writer: Pick<Writer, 'reply' | 'charge' | 'release'>) {
    this.#writer = writer
  }

  /** Adds a request. `settle` or `refuse` MUST be called once its outcome is known. */
  add (): void { this.#unsettled++ }

  /**
   * Called when a request is stored.
   * @param number the offset of the entry, or the number of the change
   * @param id of the request
   * @param ack undefined for none
   * @param isExpected whether the entry or the change will be sent, and `ack` with it; if false, `ack` is sent immediately
   */
  settle (number: number, id: string, ack: string | undefined, isExpected: boolean): void {
    if (isExpected) this.#expect(number, id, ack)
    else if (ack !== undefined) this.#writer.reply(ack)
    this.#unsettled--
    this.#reportDelivered()
  }

  /** Called when a request was not stored. */
  refuse (): void {
    this.#unsettled--
    this.#reportDelivered()
  }

  /**
   * Called when everything up to this number is sent. Removes and returns the acknowledgements of it; undefined for none.
   * @param replaced returns the text that replaces that of an acknowledgement; undefined for none
   */
  take (number: number, replaced?: (number: number, id: string) => string | undefined): string[] | undefined {
    if (this.#last <= number) this.#last = 0
    this.#reportDelivered()
    const acks = this.#acks
    if (acks.length === 0) return undefined
    const due = acks.length === 1 && acks[0]!.number <= number ? acks : acks.filter((ack) => ack.number <= number)
    if (due.length === 0) return undefined
    this.#acks = due.length === acks.length ? NONE : acks.filter((ack) => ack.number > number)
    return due.map(({ number, id, text }) => {
      this.#writer.release(ackCost(text))
      return replaced?.(number, id) ?? text
    })
  }

  /** See `Membership.delivered`. */
  delivered (): Promise<void> | undefined {
    return this.isEmpty ? undefined : new Promise((resolve) => { this.#onDelivered = resolve })
  }

  /** Whether the outcome of each request is known. */
  get areSettled (): boolean { return this.#unsettled === 0 }

  /** Whether the outcome of each request is known, and was sent. */
  get isEmpty (): boolean { return this.areSettled && this.#last === 0 }

  #expect (number: number, id: string, ack: string | undefined): void {
    this.#last = Math.max(this.#last, number)
    if (ack === undefined) return
    // A literal, because an empty array grows to 17 places.
    if (this.#acks.length === 0) this.#acks = [{ number, id, text: ack }]
    else this.#acks.push({ number, id, text: ack })
    this.#writer.charge(ackCost(ack))
  }

  #reportDelivered (): void {
    if (this.#onDelivered !== undefined && this.isEmpty) this.#onDelivered()
  }
}

/** Returns the bytes of memory of an acknowledgement: its text, the strings that it is joined from, and its object. */
function ackCost (text: string): number { return 256 + 2 * text.length }
