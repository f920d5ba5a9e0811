import type { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { ChargingHolder, type ByteBudget } from './byte-budget.ts'
import { BINARY, TEXT, frame, frameHeader, frames } from './frame.ts'
import { CloseCode } from '../protocol.ts'
import { currentTick, uncorkAtEndOfTick, type Corked } from './tick.ts'
import { TokenBucket, type Rate } from './token-bucket.ts'
import type { Payload, Writer, WriterOwner } from './writer.ts'

export interface WriteLimits {
  /** maximum pending bytes of one client; more terminate its connection */
  readonly pending: number
  /** limits the pending bytes of all clients */
  readonly budget: ByteBudget
  /** bytes; delays replays above this rate */
  readonly replays: Rate
}

const NOTHING = Buffer.alloc(0)

/** Pending bytes from which `reply` returns false. */
const HIGH_WATER = 64 * 1024

/** Bytes up to which a batch is copied to join it with messages for one client: a second buffer in a write costs more. */
const SMALL_BATCH = 2 * 1024

/**
 * Bytes from which a reply is written at once and without a copy of its payload. A shorter one costs less in a copy that waits
 * for the other replies of its tick. A longer one that waits may survive a scavenge, and then stays until a major collection.
 */
const LARGE_REPLY = 2 * 1024

/** Replays of up to this many bytes aren't charged to the replay rate. */
const SMALL_REPLAY = 16 * 1024

/** Writes WebSocket frames directly to the socket of one connection, without `ws`, so that connections can share buffers. */
export class SocketWriter extends ChargingHolder implements Writer, Corked {
  readonly #stream: Duplex
  readonly #owner: WriterOwner
  readonly #limits: WriteLimits
  #replays: TokenBucket | undefined
  #messagesSent = 0
  #bytesSent = 0
  /** Whether the stream is corked until the end of this tick. Corking also delays the frames of `ws`. */
  #corked = false
  /** Pending shared buffers, in the order of writing. Created when needed. */
  #shared: Buffer[] | undefined
  /** Number of the last tick with a write. */
  #lastWriteTick = -1

  constructor (stream: Duplex, owner: WriterOwner, limits: WriteLimits) {
    super(limits.budget)
    this.#stream = stream
    this.#owner = owner
    this.#limits = limits
  }

  get messagesSent (): number { return this.#messagesSent }

  get bytesSent (): number { return this.#bytesSent }

  get pendingBytes (): number { return this.#stream.writableLength }

  override get bytes (): number { return this.#stream.destroyed ? 0 : Math.max(super.bytes, this.pendingBytes) }

  write (framed: Buffer, messages: number, own?: readonly Payload[]): boolean {
    if (!this.#mayWrite()) return false
    this.#messagesSent += messages
    if (own !== undefined && framed.length < SMALL_BATCH) {
      this.#writeOwn(frames(own, framed).bytes)
      return true
    }
    this.#bytesSent += framed.length
    if (own === undefined) {
      this.#stream.write(framed)
    } else {
      this.#stream.cork()
      this.#stream.write(framed)
      this.#writeOwn(frames(own).bytes)
      this.#stream.uncork()
    }
    // For a client that reads, the kernel accepts the bytes at once and nothing is pending.
    if (this.#stream.writableLength > 0) this.#chargeShared(framed)
    return true
  }

  replay (payloads: readonly Payload[], messages: number): boolean {
    if (payloads.length === 0 || !this.#mayWrite()) return false
    const { bytes } = frames(payloads)
    this.#messagesSent += messages
    // The request rate bounds the number of small replays.
    if (bytes.length > SMALL_REPLAY) (this.#replays ??= new TokenBucket(this.#limits.replays)).spend(bytes.length)
    this.#writeOwn(bytes)
    return true
  }

  reply (payload: Payload, isBinary = typeof payload !== 'string'): boolean {
    if (!this.#mayWrite()) return true
    this.#messagesSent++
    const opcode = isBinary ? BINARY : TEXT
    const isLarge = typeof payload !== 'string' && payload.length >= LARGE_REPLY
    if (!this.#corked) this.#cork()
    if (isLarge) {
      this.#writeOwn(frameHeader(payload.length, opcode))
      this.#writeOwn(payload)
      this.uncork()
    } else {
      this.#writeOwn(frame(payload, opcode))
    }
    return this.#stream.writableLength < HIGH_WATER
  }

  uncork (): void {
    if (!this.#corked) return
    this.#corked = false
    this.#stream.uncork()
  }

  async drained (): Promise<void> {
    const stream = this.#stream
    const wait = this.#replays?.spend(0) ?? 0
    if (wait > 0) await pause(wait, undefined, { ref: false })
    if (!this.#owner.open || stream.destroyed || stream.writableLength === 0) return
    await new Promise<void>((resolve) => { stream.write(NOTHING, () => resolve()) })
  }

  evict (): void {
    this.releaseAll()
    for (const framed of this.#shared?.splice(0) ?? []) this.#limits.budget.releaseShared(framed)
    this.#owner.terminate(CloseCode.tryAgainLater, 'too many pending bytes in total', { fault: 'total_pending_bytes', option: 'limits.totalPendingBytes' })
  }

  /**
   * Returns whether the connection is open. Terminates it if its pending bytes exceed the limit. Checks this only at the first
   * write of a tick: right after a write, a healthy client can have megabytes pending. One tick later it has none.
   */
  #mayWrite (): boolean {
    if (!this.#owner.open) return false
    const tick = currentTick()
    if (this.#lastWriteTick !== tick) {
      this.#lastWriteTick = tick
      if (this.#stream.writableLength > this.#limits.pending) {
        this.#owner.terminate(CloseCode.policy, 'reads too slowly', { fault: 'slow_reader', option: 'limits.pendingBytes' })
        return false
      }
    }
    return true
  }

  /** Delays all writes until the end of this tick. */
  #cork (): void {
    this.#corked = true
    this.#stream.cork()
    uncorkAtEndOfTick(this)
  }

  /** Charges shared frames until they are sent or discarded. */
  #chargeShared (framed: Buffer): void {
    const shared = this.#shared ??= []
    shared.push(framed)
    this.#stream.write(NOTHING, () => {
      const sent = shared.shift()
      if (sent !== undefined) this.#limits.budget.releaseShared(sent)
    })
    this.#limits.budget.chargeShared(framed)
  }

  /** Charges bytes until they are sent or discarded. */
  #writeOwn (bytes: Uint8Array): void {
    this.#bytesSent += bytes.length
    if (!this.#corked && this.#stream.writableLength === 0) {
      this.#stream.write(bytes)
      // For a client that reads, the kernel accepts the bytes at once and nothing is pending.
      if (this.#stream.writableLength === 0) return
      this.#stream.write(NOTHING, () => this.release(bytes.length))
    } else {
      this.#stream.write(bytes, () => this.release(bytes.length))
    }
    this.charge(bytes.length)
  }
}
