import { DEFAULT_STORE_BYTES } from '../../src/drivers/memory/store.ts'
import type { Settings } from '../../src/settings.ts'

const KiB = 1024
const MiB = 1024 * KiB

/** Bytes that the server keeps for its clients, measured on Node 20 and rounded up. */
export const COST = {
  /** Node, Fastify and the plugin without a client, and the young generation of V8's heap. */
  process: 150 * MiB,
  /** An open connection without a room: 3.5 KiB of heap, the rest outside of it. */
  connection: 8 * KiB,
  /** An attended member with one connection: 630 bytes. */
  attendance: 640,
  /** A membership, in the room and in the roster: 252 bytes. */
  membership: 320,
  /** An open room without its messages: 4.6 KiB. */
  room: 6 * KiB,
  /** The request of a pending upgrade. All pending upgrades together take no more than `handshakes` of them. */
  handshake: 32 * KiB,
  /** Messages of all rooms in the fan-out, with their frames, and one more batch. */
  fanOut: 20 * MiB,
  /** Messages of all rooms that are delivered while a member joins. */
  rings: 8 * MiB
} as const

/** Returns the most bytes that this process holds at these limits, with the default backend, by what holds them. */
export function memoryBounds ({ limits, bounds }: Pick<Settings, 'limits' | 'bounds'>): Readonly<Record<string, number>> {
  return {
    process: COST.process,
    store: DEFAULT_STORE_BYTES,
    'pending bytes': limits.totalPendingBytes,
    'received bytes': limits.receiveBudget,
    connections: limits.connections * COST.connection,
    'attended members': limits.connections * COST.attendance,
    memberships: limits.connections * limits.roomsPerMember * COST.membership,
    rooms: limits.rooms * COST.room,
    handshakes: bounds.handshakes * COST.handshake,
    'fan-out': COST.fanOut,
    rings: COST.rings
  }
}
