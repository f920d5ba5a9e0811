import type { Limits } from '../../src/options.ts'

const KiB = 1024
const MiB = 1024 * KiB

/** Bytes of what a client makes the server keep, as measured on Node 20 and rounded up. */
export const COST = {
  /** Node, Fastify and the plugin without a client; the young generation of V8's heap */
  process: 150 * MiB,
  /** an open connection without a room: 3.5 KiB of heap, the rest outside of it */
  connection: 8 * KiB,
  /** a member's part in a room, in the room and in the roster: 252 bytes */
  membership: 320,
  /** an open room without its messages: 4.6 KiB */
  room: 6 * KiB,
  /** the request of an upgrade under way; together no more than so many of them take */
  handshake: 32 * KiB,
  /** messages of all rooms on their way to members, with the frames made of them, and one batch more */
  fanOut: 20 * MiB,
  /** messages of all rooms that were delivered while a member joins */
  rings: 8 * MiB
} as const

/** The most bytes that this process holds at these limits, with messages and presence in memory, by what holds them. */
export function memoryBounds (limits: Limits): Readonly<Record<string, number>> {
  return {
    process: COST.process,
    store: limits.storeBytes,
    'pending bytes': limits.replyBudget,
    'received bytes': limits.receiveBudget,
    connections: limits.connections * COST.connection,
    memberships: limits.connections * limits.roomsPerMember * COST.membership,
    rooms: limits.rooms * COST.room,
    handshakes: limits.handshakes * COST.handshake,
    'fan-out': COST.fanOut,
    rings: COST.rings
  }
}
