import { argsOf } from './amend-args.ts'
import { amendedOf } from './amend-outcome.ts'
import type { InFlight } from './in-flight.ts'
import { TickQueue, type QueuedCall } from './tick-queue.ts'
import type { Amended, Amendment, Change } from '../../../change.ts'
import type { Position } from '../../../store.ts'

interface Amending extends QueuedCall { readonly change: Change, readonly resolve: (amended: Amended) => void }

/** Bytes of memory of a change without its content: promise, closures, arguments, and their copies in ioredis. */
const CHANGE_BYTES = 2_000

/**
 * As the amend script returns it: the charge of the room, whether the changes were published, the epoch, whether the content of
 * deleted entries is still in the stream, and the outcome of each change.
 */
export type AmendReply = [charge: number, published: number, epoch: string, hasDeleted: number, ...outcomes: string[]]

/** Changes in flight. Those of one room and one tick are sent together. */
export class AmendQueue {
  readonly #queue: TickQueue<Amending, AmendReply>

  /** @param send sends the arguments of a room's changes */
  constructor (send: (room: string, args: ReadonlyArray<string | number>) => Promise<AmendReply>, inFlight: InFlight) {
    this.#queue = new TickQueue(send, settle, inFlight)
  }

  amend (room: string, position: Position, amendment: Amendment): Promise<Amended> {
    return new Promise((resolve, reject) => {
      const args = argsOf(position, amendment)
      const bytes = args.reduce<number>((sum, arg) => sum + (typeof arg === 'string' ? arg.length : 0), 0)
      this.#queue.add(room, { args, bytes, cost: CHANGE_BYTES + 4 * bytes, change: amendment.change, resolve, reject })
    })
  }

  /** Sends the changes that wait for the end of the tick. */
  flush (): void { this.#queue.flush() }
}

function settle (room: string, changes: readonly Amending[], [, , epoch, , ...outcomes]: AmendReply): void {
  for (const [i, { change, resolve, reject }] of changes.entries()) {
    try {
      resolve(amendedOf(outcomes[i]!, change, epoch, room))
    } catch (error) {
      reject(error)
    }
  }
}
