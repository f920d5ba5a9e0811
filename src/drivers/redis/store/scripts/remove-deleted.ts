import type { Script } from '../../client/script.ts'
import { changeFunctions } from './changes.ts'
import { content } from './content.ts'
import { allowWrites, readState } from './room-state.ts'

/**
 * Removes the content of deleted entries from the stream, which is written again: Redis can't change an entry of a stream. Can be
 * repeated. Returns the room's charge, 0 if the room is lost.
 */
export const removeDeleted: Script = {
  name: 'fastifyChatRemoveDeleted',
  keys: 3,
  writes: false,
  lua: `${readState}${changeFunctions}${content}
if lost then return 0 end
if not changes or changes.deleted == 0 then return charge() end
${allowWrites}
local entries = redis.call('XRANGE', log, '-', '+')
local ttl = redis.call('PTTL', log)
redis.call('DEL', log)
for i = 1, #entries, 1000 do
  local names = {}
  for j = i, math.min(i + 999, #entries) do names[#names + 1] = '~' .. string.match(entries[j][1], '%d+$') end
  for j, found in ipairs(redis.call('HMGET', room, unpack(names))) do
    local entry = entries[i + j - 1]
    local start, rest = string.match(found or '', '^(%d+,%d+,)3(,.*)$')
    if start then
      local erased = string.sub(entry[2][2], 1, afterAuthor(entry[2][2])) .. '""]'
      state.bytes = state.bytes - chargeOfEntry(entry[2][2]) + chargeOfEntry(erased)
      entry[2][2], entry[2][4] = erased, '0'
      redis.call('HSET', room, names[j], start .. '1' .. rest)
    end
    redis.call('XADD', log, entry[1], 'e', entry[2][2], 's', entry[2][4])
  end
end
-- No ttl, or less than 1 ms: with the result of PTTL, Redis would remove the stream.
if ttl > 0 then redis.call('PEXPIRE', log, ttl) end
changes.deleted = 0
redis.call('HSET', room, 'changes', packedChanges())
save()
return charge()
`
}
