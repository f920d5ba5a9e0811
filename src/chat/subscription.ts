import type { FastifyBaseLogger } from 'fastify'
import { chatEntry, type ChatEntry } from '../chat-entry.ts'
import type { Rooms } from '../rooms/rooms.ts'
import type { Entry } from '../store.ts'
import { logSafely } from '../thrown.ts'

/** Follows a room for the app. Resolves with an unsubscribe function. @throws TooManyRooms */
export async function subscribeTo (
  rooms: Rooms, log: FastifyBaseLogger, name: string, listener: (entry: ChatEntry) => void | Promise<void>
): Promise<() => void> {
  const room = await rooms.open(name)
  const callListener = async (entry: Entry) => { await listener(chatEntry(entry)) }
  const unsubscribe = room.subscribe((entry) => {
    callListener(entry).catch((err: unknown) => logSafely(log, 'error', { err, room: name }, 'a listener of a room failed'))
  })
  return () => {
    if (unsubscribe()) rooms.release(room)
  }
}
