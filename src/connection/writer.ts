import type { ByteHolder } from './byte-budget.ts'
import type { CloseDetails } from './close-reason.ts'

/** Content of a message: text as a string, or binary. */
export type Payload = string | Uint8Array

/** Messages as they are sent, in one buffer. ends: the end of each message in the buffer. */
export interface Framed { readonly bytes: Buffer, readonly ends: readonly number[] }

/** Encodes messages for one transport: entries first, then signals. Clients can share the buffer. */
export type Framing = (entries: readonly Payload[], signals: readonly Payload[]) => Framed

/** The connection that a writer writes for. */
export interface WriterOwner {
  readonly open: boolean
  terminate (code: number, reason: string, details: CloseDetails): void
}

/**
 * Sends messages to one client. Each transport has its own implementation. Nothing is sent after the connection has closed.
 * The budget of pending bytes uses `bytes` and `evict`.
 */
export interface Writer extends ByteHolder {
  /** Number of messages sent so far, and their bytes. */
  readonly messagesSent: number
  readonly bytesSent: number
  /** Bytes that were written and not yet sent. */
  readonly pendingBytes: number

  /**
   * Sends messages that other clients receive too. MUST terminate the connection instead if too many bytes are pending.
   * @param framed the messages, in the framing of this transport
   * @param messages number of messages in `framed`
   * @param own messages for this client alone, sent in the same write after the others
   * @returns whether they were written
   */
  write (framed: Buffer, messages: number, own?: readonly Payload[]): boolean

  /**
   * Sends missed messages in one write. Terminates the connection as `write` does. Charges the bytes to the replay rate.
   * @param messages number of missed messages; `payloads` may contain others
   * @returns whether they were written
   */
  replay (payloads: readonly Payload[], messages: number): boolean

  /**
   * Sends a message for this client alone, in one write with all other messages of this tick. Bytes MUST NOT change afterwards.
   * @param isBinary whether to send bytes as a binary message; if false, the bytes are sent as text and MUST be UTF-8
   * @returns false if the caller should wait for `drained()` before it sends more
   */
  reply (payload: Payload, isBinary?: boolean): boolean

  /** Adds memory that is kept for this client alone to the pending bytes. */
  charge (bytes: number): void

  release (bytes: number): void

  /** Resolves when the written bytes are sent and the replay rate allows more, or when the connection has ended. */
  drained (): Promise<void>
}
