import { setImmediate as endOfTick } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { hookFailed } from '../../hooks.ts'
import { logSafely } from '../../thrown.ts'

type Hook = 'onPost' | 'onChange'

/** Thrown if a hook could not be called. The cause is not its fault. */
export class NotCalled extends Error {}

/** The call for a post or a change that was passed to the store. */
interface Call {
  readonly hook: Hook
  readonly cost: number
  /** undefined while the outcome is unknown. The call keeps its place in the order of its room then, and has no cost. */
  make: (() => unknown) | undefined
}

interface Queue {
  readonly room: string
  /** In the order of the room. */
  readonly calls: Set<Call>
  isRunning: boolean
  /** Bytes of the stored entries and changes that wait, and of the one that its hook is called with. */
  bytes: number
  /** Calls beyond the room's own bound since the queue was last empty. */
  missed: number
}

/** Bytes of memory of the stored entries and changes of one room that wait. */
const ROOM_BYTES = 2 * 1024 * 1024

/** Bytes of memory of those of all rooms. */
const BYTES = 16 * 1024 * 1024

/** Maximum number of calls in one tick, so that a room that catches up doesn't block the event loop. */
const CALLS_PER_TICK = 500

/**
 * Calls `onPost` and `onChange` for the entries and changes that this node stored, in the order of each room and one at a time for
 * each room. If they are so slow that 2 MiB of a room wait, or 16 MiB of all rooms, further ones get no call: requests don't wait.
 * The first one is logged. Their number is logged when the room has caught up, or half of the 16 MiB are free again.
 */
export class HookCalls {
  readonly #log: FastifyBaseLogger
  readonly #queues = new Map<string, Queue>()
  #bytes = 0
  /** Calls beyond the bound of all rooms since it was first reached. */
  #missed = 0
  #callsInTick = 0
  #tick: Promise<void> | undefined
  #emptied: (() => void) | undefined

  constructor (log: FastifyBaseLogger) {
    this.#log = log
  }

  /**
   * Makes a call once a post or a change is stored, unless it is a repeat. Stores number the entries and changes of one node in the
   * order of its calls, so this order is that of the room.
   * @param hook for the log
   * @param cost bytes of memory while the call waits
   * @param stored result of `append` or `amend`
   * @param make calls the hook. Throws NotCalled if it can't
   */
  add<Stored extends { readonly again: boolean }> (
    hook: Hook, room: string, cost: number, stored: Promise<Stored>, make: (stored: Extract<Stored, { readonly again: false }>) => unknown
  ): void {
    const queue = this.#queues.get(room) ?? this.#start(room)
    const call: Call = { hook, cost, make: undefined }
    queue.calls.add(call)
    stored.then(
      (result) => { this.#settle(queue, call, result.again ? undefined : () => make(result as Extract<Stored, { readonly again: false }>)) },
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
      for (const { make } of queue.calls) if (make !== undefined) queue.missed++
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

  /** @param make undefined if nothing was stored */
  #settle (queue: Queue, call: Call, make: Call['make']): void {
    if (!queue.calls.has(call)) return
    if (make !== undefined && this.#take(queue, call)) call.make = make
    else queue.calls.delete(call)
    if (!queue.isRunning) void this.#run(queue)
  }

  /** Returns whether a call may wait. A call above a bound may if no other one waits. */
  #take (queue: Queue, { hook, cost }: Call): boolean {
    if (queue.bytes > 0 && queue.bytes + cost > ROOM_BYTES) {
      if (queue.missed++ === 0) this.#log.error({ room: queue.room }, `${hook} is too slow: further calls for the room are not made`)
      return false
    }
    if (this.#bytes > 0 && this.#bytes + cost > BYTES) {
      if (this.#missed++ === 0) this.#log.error(`${hook} is too slow: further calls for all rooms are not made`)
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
      if (call?.make === undefined) break
      queue.calls.delete(call)
      this.#countCall()
      try {
        const result = call.make()
        // A call that returns synchronously ends at once, so that the next one doesn't have to wait.
        if (result !== undefined) await result
      } catch (error) {
        this.#logFailed(call.hook, queue.room, error)
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

  #logFailed (hook: Hook, room: string, error: unknown): void {
    if (error instanceof NotCalled) logSafely(this.#log, 'error', { err: error.cause, room }, `the hook ${hook} was not called: ${error.message}`)
    else logSafely(this.#log, 'error', { err: hookFailed(hook, error), room }, `the hook ${hook} failed`)
  }

  #logMissed (queue: Queue): void {
    const { room, missed } = queue
    queue.missed = 0
    if (missed > 0) this.#log.error({ room, missed }, 'some calls of onPost and onChange for the room were not made')
  }

  #logAllMissed (): void {
    const missed = this.#missed
    this.#missed = 0
    if (missed > 0) this.#log.error({ missed }, 'some calls of onPost and onChange were not made, because too many of all rooms waited')
  }
}
