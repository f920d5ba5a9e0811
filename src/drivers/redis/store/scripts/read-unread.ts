import type { Script } from '../../client/script.ts'
import { isOverdue } from './newest-change.ts'
import { isLost } from './room-state.ts'
import { unread } from './unread.ts'

/**
 * Reads the heads of rooms, and counts entries after read positions. Writes nothing. KEYS: those of each room. ARGV: new epoch, ms
 * after which an entry is left out, or ''; epoch and id of a read position in each room. Returns for each room: epoch, beginning, last
 * time, last offset, number and time of the newest change, 1 if the content of deleted entries is overdue, 1 if it has entries, number
 * of unread entries. It takes less than half of the time of the read script, because it creates no function and few tables for a room.
 */
export const readUnread: Script = {
  name: 'fastifyChatReadUnread',
  // As many as the rooms have.
  keys: undefined,
  writes: false,
  lua: `${isLost}${isOverdue}${unread}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local oldest = oldestId(now, ARGV[2])
-- number, at, nine others, deleted and deletedAt of the field 'changes'
local changesPattern = '^(%d+) (%d+)' .. string.rep(' %d+', 9) .. ' (%d+) (%d+)'
local function readRoom(room, log, order, newEpoch, readEpoch, id)
  local found = redis.call('HMGET', room, 'tag', 'born', 'at', 'n', 'first', 'keys', 'keyBytes', 'changes')
  local epoch, beginning, at, last, first = found[1], found[2], found[3], tonumber(found[4]), tonumber(found[5])
  if isLost(log, order, epoch, last, first, tonumber(found[6]), found[7]) then
    local beginsAt = string.format('%.0f', math.max(now, tonumber(at) or 0))
    return newEpoch .. ' ' .. beginsAt .. ' ' .. beginsAt .. ' 0 0 ' .. beginsAt .. ' 0 0 0'
  end
  local count = countAfter(readEpoch == epoch, id, log, first, last, oldest)
  local hasEntries = (count > 0 or countKept(log, first, last, oldest) > 0) and 1 or 0
  local number, changedAt, overdue = 0, beginning, 0
  if found[8] then
    local deleted, deletedAt
    number, changedAt, deleted, deletedAt = string.match(found[8], changesPattern)
    overdue = isOverdue(now, tonumber(deleted), deletedAt)
  end
  return epoch .. ' ' .. beginning .. ' ' .. at .. ' ' .. found[4] .. ' ' .. number .. ' ' .. changedAt .. ' ' .. overdue .. ' ' .. hasEntries .. ' ' .. count
end
local reply, place = {}, 3
for i = 1, #KEYS, 3 do
  reply[#reply + 1] = readRoom(KEYS[i], KEYS[i + 1], KEYS[i + 2], ARGV[1], ARGV[place], ARGV[place + 1])
  place = place + 2
end
return reply
`
}
