import type { ByteBudget, ByteHolder } from './byte-budget.ts'
import type { CloseReason } from './close-reason.ts'
import { CloseCode } from '../protocol.ts'
import type { Message } from './message.ts'
import { ReceiveQueue, type Reader } from './receive-queue.ts'

/** Handles the messages of a connection. */
export interface MessageHandler {
  /**
   * Called with one message at a time, in order. The next call waits until the promise has settled. A throw or a
   * rejection closes the connection with 1011.
   */
  receive (message: Message): void | Promise<void>
  /** Called before the server closes the connection. @param reconnectIn ms after which the client should reconnect */
  drain? (reconnectIn: number): void
  /** Called when the connection is closed. */
  ended? (): void
}

/** The connection whose messages a receiver passes on. */
export interface Source {
  readonly open: boolean
  pause (): void
  /** Reads on if reading is paused. */
  resume (): void
  close (code: number, reason: string, why: Pick<CloseReason, 'fault'>): void
  terminate (code: number, reason: string, why: Pick<CloseReason, 'fault'>): void
  fail (error: unknown): void
}

export interface ReceiveLimits {
  /** messages in the receive queue; above this the connection is closed */
  readonly messages: number
  /** bytes of memory of the receive queue, if it has more than one message; above this the connection is closed */
  readonly bytes: number
  /** bytes received by the process and not handled yet */
  readonly budget: ByteBudget
}

/** Bytes, more than one read from a socket returns. A queued message is a slice of such a read and keeps all of it. */
const READ = 128 * 1024

/** Bytes of memory of a message, or of a piece of one, without its content: its buffer and the references to it. */
const OVERHEAD = 512

/** Returns the bytes charged for a message or a piece of one. */
export function costOf ({ length }: Uint8Array): number { return length + OVERHEAD }

/**
 * Passes the messages of one connection to its handler, one at a time, and charges to the process what isn't handled yet.
 */
export class Receiver implements ByteHolder, Reader {
  readonly #source: Source
  readonly #limits: ReceiveLimits
  #handler: MessageHandler | undefined
  /** Set while the handler's promise is pending. */
  #queue: ReceiveQueue | undefined
  #charged = 0
  /** Bytes charged for the message that is being handled. */
  #handling = 0
  #messagesReceived = 0
  #bytesReceived = 0

  constructor (source: Source, limits: ReceiveLimits) {
    this.#source = source
    this.#limits = limits
  }

  /** Bytes charged. */
  get bytes (): number { return this.#charged }

  get messagesReceived (): number { return this.#messagesReceived }

  get bytesReceived (): number { return this.#bytesReceived }

  get handler (): MessageHandler | undefined { return this.#handler }

  /** Passes all further messages to the handler. */
  serve (handler: MessageHandler): void { this.#handler = handler }

  /** Queues messages, in order, until the promise settles. */
  hold (pending: Promise<void>): void {
    this.#queue ??= new ReceiveQueue(this, pending)
  }

  receive (message: Message): void {
    this.#messagesReceived++
    this.#bytesReceived += message.data.length
    if (!this.#source.open || this.#handler === undefined) return
    if (this.#queue !== undefined) return this.#enqueue(message, this.#queue)
    try {
      const pending = this.#handler.receive(message)
      if (pending === undefined) return
      this.#startHandling(message)
      this.hold(pending)
    } catch (error) {
      this.#source.fail(error)
    }
  }

  /** Charges memory kept for input of this client. */
  charge (bytes: number): void {
    this.#charged += bytes
    this.#limits.budget.charge(bytes)
  }

  /** Releases at most the charged bytes, so that nothing is released twice after `terminate`. */
  release (bytes: number): void {
    const released = Math.min(bytes, this.#charged)
    this.#charged -= released
    this.#limits.budget.release(released)
  }

  terminate (): void {
    this.release(this.#charged)
    this.#source.terminate(CloseCode.tryAgainLater, 'receive budget exceeded', { fault: 'receive_budget' })
  }

  /** Drops the queued messages and all later ones. */
  stop (): void { this.#queue?.stop() }

  /** Called when the connection has ended. Queued messages can't be answered any more, and a hook that hangs would keep them. */
  ended (): void {
    this.stop()
    this.release(this.#charged)
    this.#handler?.ended?.()
  }

  pause (): void { this.#source.pause() }

  emptied (): void {
    this.#queue = undefined
    this.#handled()
    this.#source.resume()
  }

  handle (message: Message): void | Promise<void> {
    this.#handled()
    this.#startHandling(message)
    return this.#handler!.receive(message)
  }

  fail (error: unknown): void { this.#source.fail(error) }

  #enqueue (message: Message, queue: ReceiveQueue): void {
    queue.push(message)
    const { messages, bytes } = this.#limits
    if (queue.size > messages || (queue.size > 1 && queue.bytes > Math.max(bytes, READ))) {
      this.#source.close(CloseCode.policy, 'too many messages at once', { fault: 'inbox' })
    }
  }

  #startHandling ({ data }: Message): void {
    this.#handling = costOf(data)
    this.charge(this.#handling)
  }

  /** Releases the charge for the message that was being handled. */
  #handled (): void {
    this.release(this.#handling)
    this.#handling = 0
  }
}
