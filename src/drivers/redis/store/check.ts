import { randomUUID } from 'node:crypto'
import type { RedisClient } from '../client/client.ts'
import { checkRoundTrip } from '../client/permissions.ts'
import type { MemoryRecovery } from './memory-recovery.ts'
import { recordName } from './record-name.ts'
import type { RecordScripts } from './record-scripts.ts'
import type { RoomIndex } from './room-index.ts'
import { RoomScripts } from './room-scripts.ts'

/** ms until the keys of the test room expire */
const TTL = 60_000

/**
 * Posts in a test room, receives the post, changes it, reads the room and deletes it, and a record of a member. Rejects with FST_CHAT_STORE_DENIED if the Redis
 * user lacks a permission.
 */
export async function checkStore ({ client, processId, records, index, recovery }: {
  readonly client: RedisClient
  readonly processId: string
  readonly records: RecordScripts
  readonly index: RoomIndex
  readonly recovery: MemoryRecovery
}): Promise<void> {
  const limits = { roomTtl: TTL, emptyTtl: TTL, historyEntries: 2, historyBytes: 60_000, historyAge: TTL, dedupWindow: TTL }
  const scripts = new RoomScripts(client, processId, limits)
  // No client's room has such a name.
  const room = `?${processId}`
  // No member's id has a line break.
  const record = recordName(`\n${processId}`)
  await checkRoundTrip(client, client.key(room, 'permission'), scripts.channel(room), async () => {
    const posts = [randomUUID(), randomUUID()].flatMap((key) => [key, '', '', '[0,""]', 0, ''])
    const [charge, published, epoch, at, offset] = await recovery.run(room, () => scripts.append(room, posts))
    const change = ['', '', '', epoch, `${at}-${offset!}`, '', 'null', 'delete', '', 0]
    await recovery.run(room, () => scripts.amend(room, change))
    await scripts.removeDeleted(room)
    await scripts.removeOlderHalf(room)
    await scripts.read(room, { direction: 'newest', position: undefined, limit: 1, maxBytes: 1, maxAge: TTL })
    await scripts.readHead(room, true)
    await scripts.readUnread([[room, undefined]])
    await recovery.run(record, () => records.mark(record, ['a', 'e-1-1']))
    await records.read(record)
    await records.inspect(record)
    await records.forget(record, 'a')
    await records.evict(record, Infinity)
    await index.update([[room, charge]], Infinity)
    await index.oldest(0, 1)
    await index.largest(1)
    // The room has a subscriber here, so the script checks a channel without one.
    await scripts.evict(room, Number.MAX_SAFE_INTEGER, `${scripts.channel(room)}?`)
    await index.update([[room, 0]], Infinity)
    return published === 1
  })
}
