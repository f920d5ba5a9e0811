import type { Cluster, Redis } from 'ioredis'
import { StoreBusy, StoreUnavailable, StoreUnknown } from '../../../errors.ts'
import type { Deadlines } from './deadlines.ts'
import { isCluster, isReady } from './connect.ts'
import { masterOf } from './masters.ts'
import { withoutArguments } from './reply-errors.ts'

type Command = (redis: Redis | Cluster) => Promise<unknown>

/** Holds commands back, or rejects them. */
export interface Gate {
  /** Returns the error for a command that can't be sent now nor soon; undefined if it is sent, or waits. */
  refusal (): Error | undefined
  /** Returns whether commands can be sent. If not, they wait until `sendWaiting` is called after it has opened. */
  isOpen (): boolean
}

const NO_REPLY = new Error('no reply in time')

/** Sends commands on one connection. Each has a deadline, and their number is limited. */
export class CommandSender {
  readonly #redis: Redis | Cluster
  readonly #deadlines: Deadlines
  readonly #maxInFlight: number
  readonly #gate: Gate
  /** Send functions of the commands that wait for the connection or the gate, in order, each with its reject function. */
  readonly #unsent = new Map<() => void, (error: Error) => void>()
  #corked = false

  constructor (redis: Redis | Cluster, deadlines: Deadlines, maxInFlight: number, gate: Gate) {
    this.#redis = redis
    this.#deadlines = deadlines
    this.#maxInFlight = maxInFlight
    this.#gate = gate
  }

  /**
   * Rejects with StoreUnavailable (certainly not run), StoreBusy (too many in flight) or StoreUnknown (perhaps run).
   * @param key of the command @param isUnchanged returns whether a command that failed with this error certainly changed nothing
   */
  send (command: Command, key: string, isUnchanged: (error: Error) => boolean): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const refusal = this.#gate.refusal()
      if (refusal !== undefined) {
        reject(refusal)
        return
      }
      if (this.#deadlines.size >= this.#maxInFlight) {
        reject(new StoreBusy())
        return
      }
      let sent = false
      const deadline = this.#deadlines.start(() => {
        if (!this.#unsent.delete(send)) this.#disconnect(key)
        reject(sent && !isUnchanged(NO_REPLY) ? new StoreUnknown() : new StoreUnavailable())
      })
      const send = () => {
        sent = true
        command(this.#redis).then((reply) => {
          if (this.#deadlines.end(deadline)) resolve(reply)
        }, (error: Error) => {
          if (!this.#deadlines.end(deadline)) return
          withoutArguments(error)
          reject(Object.assign(isUnchanged(error) ? new StoreUnavailable() : new StoreUnknown(), { cause: error }))
        })
      }
      if (this.#isOpen()) {
        this.sendWaiting()
        send()
      } else {
        this.#unsent.set(send, (error) => { if (this.#deadlines.end(deadline)) reject(error) })
      }
    })
  }

  /** Sends the waiting commands. Called when the connection is ready, and when the gate has opened. */
  sendWaiting (): void {
    if (!this.#isOpen()) return
    this.#cork()
    for (const send of this.#unsent.keys()) {
      this.#unsent.delete(send)
      send()
    }
  }

  /** Rejects the waiting commands. None of them was sent. */
  rejectWaiting (error: Error): void {
    const waiting = [...this.#unsent.values()]
    this.#unsent.clear()
    for (const reject of waiting) reject(error)
  }

  #isOpen (): boolean { return isReady(this.#redis) && this.#gate.isOpen() }

  /** Joins the commands of one tick into one write. */
  #cork (): void {
    if (this.#corked || isCluster(this.#redis)) return
    const { stream } = this.#redis
    this.#corked = true
    stream.cork()
    process.nextTick(() => {
      this.#corked = false
      stream.uncork()
    })
  }

  /** Destroys the connection of a command that timed out. ioredis would otherwise hold unanswered commands without limit. */
  #disconnect (key: string): void {
    // In a Cluster, connections to the other masters stay open.
    masterOf(this.#redis, key)?.stream?.destroy()
  }
}
