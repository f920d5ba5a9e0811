import type { Writer } from '../connection/writer.ts'

/** An acknowledgement that waits for the message at this offset. */
interface Ack { readonly offset: number, readonly text: string }

/** The posts of a member in one room that weren't sent to it yet, and their acknowledgements. Charges those to the writer. */
export class UndeliveredPosts {
  readonly #writer: Pick<Writer, 'charge' | 'release'>
  /** Posts whose outcome is unknown yet. */
  #unsettled = 0
  /** Offset of the last stored post that wasn't sent; 0 for none. */
  #last = 0
  #acks: Ack[] = []
  /** Called when all posts were sent. */
  #onDelivered: (() => void) | undefined

  constructor (writer: Pick<Writer, 'charge' | 'release'>) {
    this.#writer = writer
  }

  /** Adds a post. `settle` MUST be called once its outcome is known. */
  add (): void { this.#unsettled++ }

  /** Called before `settle` if the post is stored and will be sent. @param ack text that is sent with it; undefined for none */
  expect (offset: number, ack: string | undefined): void {
    this.#last = Math.max(this.#last, offset)
    if (ack === undefined) return
    // A literal, because an empty array grows to 17 places.
    if (this.#acks.length === 0) this.#acks = [{ offset, text: ack }]
    else this.#acks.push({ offset, text: ack })
    this.#writer.charge(ackCost(ack))
  }

  settle (): void {
    this.#unsettled--
    this.#reportDelivered()
  }

  /** Called when messages up to this offset are sent. Removes and returns their acknowledgements; undefined for none. */
  take (offset: number): string[] | undefined {
    if (this.#last <= offset) this.#last = 0
    this.#reportDelivered()
    const acks = this.#acks
    if (acks.length === 0) return undefined
    const due = acks.filter((ack) => ack.offset <= offset)
    if (due.length === 0) return undefined
    this.#acks = due.length === acks.length ? [] : acks.filter((ack) => ack.offset > offset)
    return due.map(({ text }) => {
      this.#writer.release(ackCost(text))
      return text
    })
  }

  /** See `Membership.delivered`. */
  delivered (): Promise<void> | undefined {
    return this.#isEmpty ? undefined : new Promise((resolve) => { this.#onDelivered = resolve })
  }

  get #isEmpty (): boolean { return this.#unsettled === 0 && this.#last === 0 }

  #reportDelivered (): void {
    if (this.#onDelivered !== undefined && this.#isEmpty) this.#onDelivered()
  }
}

/** Returns the bytes of memory of an acknowledgement: its text, the strings that it is joined from, and its object. */
function ackCost (text: string): number { return 256 + 2 * text.length }
