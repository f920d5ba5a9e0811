import type { RedisClient } from '../client/client.ts'
import { isCrossSlot, isReply } from '../client/reply-errors.ts'
import type { RoomScripts } from './room-scripts.ts'
import { parseUnread, type StreamPage } from './stream-page.ts'
import type { PositionParts } from '../../position.ts'

interface Count {
  readonly room: string
  readonly readPosition: PositionParts
  readonly resolve: (found: ReturnType<typeof parseUnread>) => void
  readonly reject: (error: unknown) => void
}

/** Rooms of one call of the script, so that it blocks Redis for less than 1 ms. */
const MAX_ROOMS = 64

/** Counts unread entries. The rooms of one tick are read together, except in a Cluster: their keys don't share a hash slot. */
export class UnreadQueue {
  readonly #scripts: RoomScripts
  #maxRooms: number
  #waiting: Count[] = []

  constructor (client: RedisClient, scripts: RoomScripts) {
    this.#scripts = scripts
    this.#maxRooms = client.isCluster ? 1 : MAX_ROOMS
  }

  /** Resolves with a page of a room without entries. */
  read (room: string, readPosition: PositionParts): Promise<{ readonly charge?: undefined, readonly page: StreamPage, readonly hasOverdue: boolean }> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => this.flush())
      this.#waiting.push({ room, readPosition, resolve, reject })
    })
  }

  /** Sends the counts that wait for the end of the tick. */
  flush (): void {
    const counts = this.#waiting
    this.#waiting = []
    for (let i = 0; i < counts.length; i += this.#maxRooms) this.#send(counts.slice(i, i + this.#maxRooms))
  }

  #send (counts: readonly Count[]): void {
    this.#scripts.readUnread(counts.map(({ room, readPosition }) => [room, readPosition])).then((replies) => {
      for (const [i, { resolve }] of counts.entries()) resolve(parseUnread(replies[i]!))
    }, (error: unknown) => {
      // A proxy before several masters behaves as one Redis, but for keys of several slots.
      if (isCrossSlot(error)) this.#maxRooms = 1
      const isRejected = error instanceof Error && error.cause instanceof Error && isReply(error.cause)
      if (counts.length === 1 || !isRejected) for (const { reject } of counts) reject(error)
      // Damage of one room must not fail the others.
      else for (const count of counts) this.#send([count])
    })
  }
}
