import { ByteAccount, type ByteBudget, type ByteHolder } from './byte-budget.ts'
import type { CloseDetails } from './close-reason.ts'
import { CloseCode } from '../protocol.ts'
import type { Message } from './message.ts'
import { ReceiveQueue, type Reader } from './receive-queue.ts'

/** Handles the messages of a connection. */
export interface MessageHandler {
  /** Id of the client's member; undefined until it is known. */
  readonly memberId?: string | undefined
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
  /** Starts reading again if reading is paused. */
  resume (): void
  close (code: number, reason: string, details: CloseDetails): void
  terminate (code: number, reason: string, details: CloseDetails): void
  fail (error: unknown): void
}

export interface ReceiveLimits {
  /** maximum messages in the receive queue; more close the connection */
  readonly messages: number
  /** maximum bytes of memory of a receive queue with more than one message; more close the connection */
  readonly bytes: number
  /** bytes that the process received and hasn't handled yet */
  readonly budget: ByteBudget
}

/** Upper bound for the bytes of one socket read. A queued message is a slice of a read and keeps the whole read in memory. */
const MAX_READ = 128 * 1024

/** Bytes of memory of a received buffer without its content: its object and the references to it. */
const BUFFER_OVERHEAD = 512

/** Returns the bytes charged for a message, or for a part of an incomplete one. */
export function receivedCost ({ length }: Uint8Array): number { return length + BUFFER_OVERHEAD }

/**
 * Passes the messages of one connection to its handler, one at a time. Charges the bytes that aren't handled yet to the budget
 * of the process.
 */
export class Receiver implements ByteHolder, Reader {
  readonly #source: Source
  readonly #limits: ReceiveLimits
  #handler: MessageHandler | undefined
  /** Set while the handler's promise is pending. */
  #queue: ReceiveQueue | undefined
  readonly #account: ByteAccount
  /** Bytes charged for the message that is being handled. */
  #handling = 0
  #messagesReceived = 0
  #bytesReceived = 0

  constructor (source: Source, limits: ReceiveLimits) {
    this.#source = source
    this.#limits = limits
    this.#account = new ByteAccount(limits.budget)
  }

  /** Bytes charged. */
  get bytes (): number { return this.#account.bytes }

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

  /** Charges memory that is kept for input from this client. */
  charge (bytes: number): void { this.#account.charge(bytes) }

  release (bytes: number): void { this.#account.release(bytes) }

  evict (): void {
    this.#account.releaseAll()
    this.#source.terminate(CloseCode.tryAgainLater, 'receive budget exceeded', { fault: 'receive_budget', option: 'limits.receiveBudget' })
  }

  /** Drops the queued messages and all later ones. */
  stop (): void { this.#queue?.stop() }

  /** Called when the connection has ended. Drops queued messages, which a hook that hangs would keep in memory. */
  ended (): void {
    this.stop()
    this.#account.releaseAll()
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
    if (queue.size > messages || (queue.size > 1 && queue.bytes > Math.max(bytes, MAX_READ))) {
      this.#source.close(CloseCode.policy, 'too many messages at once', { fault: 'receive_queue' })
    }
  }

  #startHandling ({ data }: Message): void {
    this.#handling = receivedCost(data)
    this.charge(this.#handling)
  }

  /** Releases the charge for the message that was being handled. */
  #handled (): void {
    this.release(this.#handling)
    this.#handling = 0
  }
}
