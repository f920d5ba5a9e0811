import { setImmediate as endOfTick } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { chatEntry } from '../chat-entry.ts'
import { entryCost } from '../heap-cost.ts'
import { hookFailed, type Hooks } from '../hooks.ts'
import type { Appended, Draft } from '../store.ts'
import { logSafely } from '../thrown.ts'

type Hook = NonNullable<Hooks['onPost']>

/** A post that was passed to the store. It keeps its place in the order of its room while its outcome is unknown. */
interface Call { readonly hook: Hook, readonly draft: Draft, readonly stored: Promise<Appended>, readonly cost: number }

interface Queue {
  readonly calls: Call[]
  /** entries without a call since the queue was last empty */
  missed: number
}

/** Waiting calls of one room. */
const CALLS = 1_000

/** Bytes of memory of the waiting calls of all rooms. */
const BYTES = 16 * 1024 * 1024

/**
 * Calls `onPost` for the entries that this node stored, in the order of each room and one at a time for each room. If it is so
 * slow that a room has 1,000 waiting calls, or all rooms together have 16 MiB of them, further entries get no call: posting
 * doesn't wait. The first one is logged, and their number when the room has caught up.
 */
export class PostCalls {
  readonly #log: FastifyBaseLogger
  readonly #queues = new Map<string, Queue>()
  #bytes = 0
  #emptied: (() => void) | undefined

  constructor (log: FastifyBaseLogger) {
    this.#log = log
  }

  /**
   * Calls the hook once the draft is stored, unless it is a repeat. Stores number the entries of one node in the order of its
   * calls, so this order is that of the room.
   * @param stored result of `append`
   */
  add (hook: Hook, room: string, draft: Draft, stored: Promise<Appended>): void {
    const queue = this.#queues.get(room) ?? this.#start(room)
    const cost = entryCost(draft)
    if (queue.calls.length >= CALLS || this.#bytes + cost > BYTES) {
      if (queue.missed++ === 0) this.#log.error({ room }, 'onPost is too slow: it is not called for further entries of the room')
      return
    }
    this.#bytes += cost
    queue.calls.push({ hook, draft, stored, cost })
  }

  /** Resolves when all calls have ended, or after the timeout, in ms: calls that still wait are not made then. */
  async close (timeout: number): Promise<void> {
    if (this.#queues.size === 0) return
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      this.#emptied = resolve
      timer = setTimeout(resolve, timeout)
    })
    clearTimeout(timer)
    for (const { calls } of this.#queues.values()) calls.length = 0
  }

  #start (room: string): Queue {
    const queue: Queue = { calls: [], missed: 0 }
    this.#queues.set(room, queue)
    void this.#run(room, queue)
    return queue
  }

  async #run (room: string, queue: Queue): Promise<void> {
    // The call is added after this function has begun.
    await endOfTick()
    for (let call = queue.calls.shift(); call !== undefined; call = queue.calls.shift()) {
      await this.#call(room, call)
      this.#bytes -= call.cost
    }
    this.#queues.delete(room)
    if (queue.missed > 0) this.#log.error({ room, missed: queue.missed }, 'onPost was not called for some entries of the room')
    if (this.#queues.size === 0) this.#emptied?.()
  }

  async #call (room: string, { hook, draft, stored }: Call): Promise<void> {
    let appended: Appended
    try {
      appended = await stored
    } catch {
      return
    }
    if (appended.again) return
    // The acknowledgement is written at the end of the tick.
    await endOfTick()
    try {
      await hook(chatEntry(appended, draft), room)
    } catch (error) {
      logSafely(this.#log, 'error', { err: hookFailed('onPost', error), room }, 'the hook onPost failed')
    }
  }
}
