import type { Script } from '../../client/script.ts'
import { changeFunctions, forgetChange, removeReactions } from './changes.ts'
import { allowWrites, readState } from './room-state.ts'

/**
 * Deletes a room without followers and without posts or changes since its last use. KEYS: those of a room. ARGV: last use in ms,
 * subcommand of PUBSUB, channel. Returns the room's charge if it is in use, else 0.
 */
export const evict: Script = {
  name: 'fastifyChatEvict',
  keys: 3,
  writes: true,
  lua: `${readState}
if not lost then
  local usedAt = changes and math.max(state.at, changes.at) or state.at
  local isUsed = usedAt > tonumber(ARGV[1]) and usedAt <= now
  if isUsed or redis.call('PUBSUB', ARGV[2], ARGV[3])[2] > 0 then return charge() end
end
redis.call('DEL', room, log, order)
return 0
`
}

/**
 * Removes the older half of a room's entries, of its posts' keys and of its changes, but never the last entry or change. Removes reactions
 * of the other entries, the oldest first, while the room holds more of them than of all else. KEYS: those of a room. Returns the charge
 * of what is left.
 */
export const removeOlderHalf: Script = {
  name: 'fastifyChatRemoveOlderHalf',
  keys: 3,
  writes: true,
  lua: `${readState}${changeFunctions}
if lost then return 0 end
${allowWrites}
local kept = state.offset - state.first + 1
local removed = math.floor(kept / 2)
if removed > 0 then
  for _, entry in ipairs(redis.call('XRANGE', log, '-', '+', 'COUNT', removed)) do
    state.bytes = state.bytes - chargeOfEntry(entry[2][2])
  end
  redis.call('XTRIM', log, 'MAXLEN', kept - removed)
  state.first = state.first + removed
end
for _ = 1, math.floor(state.keys / 2) do
  local key = redis.call('LPOP', order)
  local post = redis.call('HGET', room, '=' .. key) or '0 0 '
  redis.call('HDEL', room, '=' .. key)
  state.keys, state.keyBytes = state.keys - 1, state.keyBytes - chargeOfKey(key, post)
  state.forgotten = math.max(state.forgotten, tonumber(string.match(post, '^%d+')))
end
save()
if changes then
  ${forgetChange}
  sweep()
  for _ = 1, math.floor((changes.number - changes.base) / 2) do forgetChange() end
  ${removeReactions}
  local offset = state.first
  while changes.reacted > charge() / 2 and offset <= state.offset do
    removeReactions(decimal(offset))
    offset = offset + 1
  end
  redis.call('HSET', room, 'changes', packedChanges())
end
return charge()
`
}
