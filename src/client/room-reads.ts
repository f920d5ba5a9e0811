import type { Message } from '../messages.ts'
import type { Joined } from './room-events.ts'
import { idleTimer } from './timer.ts'

/** Minimum ms between two marks of a room. */
const INTERVAL = 1_000

/** Maximum number of messages whose order is known. */
const MAX_KNOWN = 1_000

/** The operations of the client that the read position of a room uses. */
export interface ReadOperations {
  /** Returns 0 if the mark was sent, else the ms after which to try again; Infinity: after the next join. */
  send (position: string): number
  /** Returns whether the member has sent the message, which moves the read position to it. */
  isOwn (message: Message): boolean
}

/** The read position of the member in one room. Counts the messages after it, and sends the newest mark of the app. */
export class RoomReads {
  /** Called when the read position has moved for another reason than a `joined` or a `message`. */
  onMoved = (): void => {}
  readonly #operations: ReadOperations
  #position: string | undefined
  /** Number of messages after the read position; Infinity: it isn't known, or there is no read position. */
  #unread = Infinity
  /** Positions of consecutive messages up to the last one that was received: the newest ones, and pages of history before them. */
  #known: string[] = []
  /** The last read position at a message that isn't known. It takes effect when the message arrives. */
  #awaited: string | undefined
  /** The mark that was not sent. */
  #unsent: string | undefined
  /** Set while no mark may be sent. */
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor (operations: ReadOperations) {
    this.#operations = operations
  }

  get position (): string | undefined { return this.#unread < Infinity ? this.#position : undefined }

  get unread (): number | undefined { return this.#unread < Infinity ? this.#unread : undefined }

  /** Called with the answer to a join. @param isContinued whether its messages follow those that were received */
  join ({ position, messages, readPosition, unread = Infinity }: Joined, isContinued: boolean): void {
    // A client that continues from an earlier one knows no message yet.
    if (isContinued && this.#known.length > 0) messages.forEach((message) => this.add(message))
    else {
      this.#know(messages.length > 0 ? messages : [{ position }], [])
      this.#unread = this.#after(this.#position)
    }
    // Both numbers count up to the same message: the smaller one is that of the later read position.
    if (readPosition !== undefined && unread <= this.#unread) {
      this.#set(readPosition, unread)
      this.#awaited = readPosition
    } else if (this.#position !== readPosition) this.#unsent = this.#position
    this.#flush()
  }

  /** Called with each message. */
  add (message: Message): void {
    const { position } = message
    this.#unread++
    if (this.#known.push(position) > MAX_KNOWN) this.#known.shift()
    if (position === this.#awaited || this.#operations.isOwn(message)) this.#set(position, 0)
  }

  /** Called with a page of history. */
  addEarlier (before: string, messages: readonly Message[]): void {
    if (before === this.#known[0]) this.#know(messages, this.#known)
  }

  /** Moves the read position, but never back. @param isOwn whether the app has marked the message, so that the server must be notified */
  move (position: string, isOwn: boolean): void {
    const unread = this.#after(position)
    const isKnown = unread < Infinity
    if (position === this.#position || position === this.#awaited || (isKnown && unread >= this.#unread)) return
    if (isKnown) this.#set(position, unread)
    else this.#awaited = position
    if (isOwn) this.#unsent = position
    this.#flush()
    if (isKnown) this.onMoved()
  }

  forget (): void {
    this.#position = this.#awaited = this.#unsent = undefined
    this.#unread = Infinity
    this.onMoved()
  }

  /** Called when the server has refused the last mark, and may accept it later. */
  retry (): void {
    this.#unsent ??= this.#position
    this.#flush()
  }

  /** Sends the mark that waits, if there is one. */
  send (): void {
    if (this.#unsent === undefined) return
    const wait = this.#operations.send(this.#unsent)
    if (wait === Infinity) return
    if (wait === 0) this.#unsent = undefined
    this.#timer = idleTimer(() => {
      this.#timer = undefined
      this.send()
    }, wait || INTERVAL)
  }

  #flush (): void {
    if (this.#timer === undefined) this.send()
  }

  /** @param unread number of messages after the position */
  #set (position: string, unread: number): void {
    this.#position = position
    this.#unread = unread
    const unreadBefore = this.#after(this.#unsent)
    // Not sent, because the server knows a later one.
    if (unreadBefore > unread && unreadBefore < Infinity) this.#unsent = undefined
  }

  #know (messages: ReadonlyArray<{ readonly position: string }>, later: readonly string[]): void {
    this.#known = [...messages.map(({ position }) => position), ...later].slice(-MAX_KNOWN)
  }

  /** Returns the number of messages after a position; Infinity if it isn't known. */
  #after (position: string | undefined): number {
    const index = this.#known.lastIndexOf(position!)
    return index < 0 ? Infinity : this.#known.length - 1 - index
  }
}
