import { setImmediate as endOfTick } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { chatEntry } from '../chat-entry.ts'
import { entryCost } from '../heap-cost.ts'
import { hookFailed, type Hooks } from '../hooks.ts'
import type { Appended, Draft } from '../store.ts'
import { logSafely } from '../thrown.ts'

type Hook = NonNullable<Hooks['onPost']>
type Stored = Exclude<Appended, { readonly again: true }>

/** A post that was passed to the store. */
interface Call {
  readonly hook: Hook
  readonly draft: Draft
  readonly cost: number
  /** undefined while the outcome is unknown. The call keeps its place in the order of its room then, and has no cost. */
  appended: Stored | undefined
}

interface Queue {
  readonly room: string
  /** In the order of the room. */
  readonly calls: Set<Call>
  isRunning: boolean
  /** Bytes of the stored entries that wait, and of the one that the hook is called with. */
  bytes: number
  /** Stored entries beyond the room's own bound since the queue was last empty. */
  missed: number
}

/** Bytes of memory of the stored entries of one room that wait. */
const ROOM_BYTES = 2 * 1024 * 1024

/** Bytes of memory of the stored entries of all rooms that wait. */
const BYTES = 16 * 1024 * 1024

/** Maximum number of calls in one tick, so that a room that catches up doesn't block the event loop. */
const CALLS_PER_TICK = 500

/**
 * Calls `onPost` for the entries that this node stored, in the order of each room and one at a time for each room. If it is so
 * slow that 2 MiB of entries of a room wait, or 16 MiB in all rooms, further entries get no call: posting doesn't wait. The
 * first one is logged. Their number is logged when the room has caught up, or half of the 16 MiB are free again.
 */
export class PostCalls {
  readonly #log: FastifyBaseLogger
  readonly #queues = new Map<string, Queue>()
  #bytes = 0
  /** Stored entries beyond the bound of all rooms since it was first reached. */
  #missed = 0
  #callsInTick = 0
  #tick: Promise<void> | undefined
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
    const call: Call = { hook, draft, cost: entryCost(draft), appended: undefined }
    queue.calls.add(call)
    stored.then(
      (appended) => { this.#settle(queue, call, appended.again ? undefined : appended) },
      () => { this.#settle(queue, call, undefined) }
    )
  }

  /** Resolves when all calls have ended, or after the timeout, in ms: calls that still wait are not made then, and logged. */
  async close (timeout: number): Promise<void> {
    if (this.#queues.size > 0) {
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        this.#emptied = resolve
        timer = setTimeout(resolve, timeout)
      })
      clearTimeout(timer)
    }
    for (const queue of this.#queues.values()) {
      for (const { appended } of queue.calls) if (appended !== undefined) queue.missed++
      queue.calls.clear()
      this.#logMissed(queue)
    }
    this.#logAllMissed()
  }

  #start (room: string): Queue {
    const queue: Queue = { room, calls: new Set(), isRunning: false, bytes: 0, missed: 0 }
    this.#queues.set(room, queue)
    return queue
  }

  /** @param appended undefined if nothing was stored */
  #settle (queue: Queue, call: Call, appended: Stored | undefined): void {
    if (!queue.calls.has(call)) return
    if (appended !== undefined && this.#take(queue, call.cost)) call.appended = appended
    else queue.calls.delete(call)
    if (!queue.isRunning) void this.#run(queue)
  }

  /** Returns whether a stored entry may wait. An entry above a bound may if no other one waits. */
  #take (queue: Queue, cost: number): boolean {
    if (queue.bytes > 0 && queue.bytes + cost > ROOM_BYTES) {
      if (queue.missed++ === 0) this.#log.error({ room: queue.room }, 'onPost is too slow: it is not called for further entries of the room')
      return false
    }
    if (this.#bytes > 0 && this.#bytes + cost > BYTES) {
      if (this.#missed++ === 0) this.#log.error('onPost is too slow: it is not called for further entries of all rooms')
      return false
    }
    queue.bytes += cost
    this.#bytes += cost
    return true
  }

  #release (queue: Queue, cost: number): void {
    queue.bytes -= cost
    this.#bytes -= cost
    if (this.#bytes <= BYTES / 2) this.#logAllMissed()
  }

  /** Makes the calls up to the first one whose outcome is unknown. */
  async #run (queue: Queue): Promise<void> {
    queue.isRunning = true
    for (;;) {
      while (this.#callsInTick >= CALLS_PER_TICK) await this.#tick
      const [call] = queue.calls
      if (call?.appended === undefined) break
      queue.calls.delete(call)
      this.#countCall()
      try {
        const result = call.hook(chatEntry(call.appended, call.draft), queue.room)
        // A call that returns synchronously ends at once, so that the next entry doesn't have to wait.
        if (result !== undefined) await result
      } catch (error) {
        logSafely(this.#log, 'error', { err: hookFailed('onPost', error), room: queue.room }, 'the hook onPost failed')
      }
      this.#release(queue, call.cost)
    }
    queue.isRunning = false
    if (queue.calls.size > 0) return
    this.#queues.delete(queue.room)
    this.#logMissed(queue)
    if (this.#queues.size === 0) this.#emptied?.()
  }

  #countCall (): void {
    if (this.#callsInTick++ > 0) return
    this.#tick = endOfTick().then(() => { this.#callsInTick = 0 })
  }

  #logMissed (queue: Queue): void {
    const { room, missed } = queue
    queue.missed = 0
    if (missed > 0) this.#log.error({ room, missed }, 'onPost was not called for some entries of the room')
  }

  #logAllMissed (): void {
    const missed = this.#missed
    this.#missed = 0
    if (missed > 0) this.#log.error({ missed }, 'onPost was not called for some entries, because too many of all rooms waited')
  }
}
