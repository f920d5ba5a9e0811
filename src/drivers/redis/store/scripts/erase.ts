import type { Script } from '../../client/script.ts'
import { readState } from './room-state.ts'

/**
 * Replaces the content of an entry. Redis can't change an entry of a stream, so the stream is written again. ARGV: epoch, id,
 * content, size.
 */
export const eraseEntry: Script = {
  name: 'fastifyChatEraseEntry',
  keys: 3,
  writes: true,
  lua: `${readState}
if lost or state.epoch ~= ARGV[1] or #redis.call('XRANGE', log, ARGV[2], ARGV[2]) == 0 then return end
local entries = redis.call('XRANGE', log, '-', '+')
local ttl = redis.call('PTTL', log)
save()
redis.call('DEL', log)
for _, entry in ipairs(entries) do
  local content, size = entry[2][2], entry[2][4]
  if entry[1] == ARGV[2] then
    state.bytes = state.bytes - chargeOfEntry(content) + chargeOfEntry(ARGV[3])
    content, size = ARGV[3], ARGV[4]
  end
  redis.call('XADD', log, entry[1], 'e', content, 's', size)
end
redis.call('PEXPIRE', log, ttl)
save()
`
}

/** Clears a room and publishes its new epoch. ARGV: new epoch, ms an empty room is kept, publishing command, channel. */
export const clearRoom: Script = {
  name: 'fastifyChatClearRoom',
  keys: 3,
  writes: true,
  lua: `${readState}
if lost and redis.call('EXISTS', room, log, order) == 0 then return end
begin(ARGV[1], ARGV[2])
redis.pcall(ARGV[3], ARGV[4], state.epoch .. '-' .. decimal(state.at) .. '-0-' .. decimal(state.at) .. '[]')
`
}
