import type { InFlight } from './in-flight.ts'

/** A call that waits for the end of its tick. `bytes`: of its arguments. `cost`: bytes of memory until it has settled. */
export interface QueuedCall {
  readonly args: ReadonlyArray<string | number>
  readonly bytes: number
  readonly cost: number
  readonly reject: (error: unknown) => void
}

/** Limits of one call of a script, so that it blocks Redis for no longer than about 1 ms. */
const MAX_CALLS = 128
const MAX_BYTES = 256 * 1024

/** Sends the calls of one room and one tick together. */
export class TickQueue<Call extends QueuedCall, Reply> {
  readonly #send: (room: string, args: ReadonlyArray<string | number>) => Promise<Reply>
  readonly #settle: (room: string, calls: readonly Call[], reply: Reply) => void
  readonly #inFlight: InFlight
  #rooms = new Map<string, Call[]>()

  /** @param send sends the arguments of calls, one after another @param settle resolves or rejects the calls that were sent together */
  constructor (
    send: (room: string, args: ReadonlyArray<string | number>) => Promise<Reply>,
    settle: (room: string, calls: readonly Call[], reply: Reply) => void,
    inFlight: InFlight
  ) {
    this.#send = send
    this.#settle = settle
    this.#inFlight = inFlight
  }

  /** @throws StoreBusy */
  add (room: string, call: Call): void {
    this.#inFlight.add(call.cost)
    if (this.#rooms.size === 0) setImmediate(() => this.flush())
    const calls = this.#rooms.get(room)
    if (calls === undefined) this.#rooms.set(room, [call])
    else calls.push(call)
  }

  /** Sends the calls that wait for the end of the tick. */
  flush (): void {
    const rooms = this.#rooms
    this.#rooms = new Map()
    for (const [room, calls] of rooms) {
      let batch: Call[] = []
      let bytes = 0
      for (const call of calls) {
        bytes += call.bytes
        if (batch.length === MAX_CALLS || (bytes > MAX_BYTES && batch.length > 0)) {
          this.#sendBatch(room, batch)
          batch = []
          bytes = call.bytes
        }
        batch.push(call)
      }
      this.#sendBatch(room, batch)
    }
  }

  #sendBatch (room: string, calls: readonly Call[]): void {
    const args: Array<string | number> = []
    for (const call of calls) args.push(...call.args)
    this.#send(room, args).then((reply) => {
      this.#release(calls)
      this.#settle(room, calls, reply)
    }, (error: unknown) => {
      this.#release(calls)
      for (const { reject } of calls) reject(error)
    })
  }

  #release (calls: readonly Call[]): void {
    for (const { cost } of calls) this.#inFlight.remove(cost)
  }
}
