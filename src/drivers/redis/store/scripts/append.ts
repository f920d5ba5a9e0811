import type { Script } from '../../client/script.ts'
import { beginStream } from './begin-stream.ts'
import { beginChanges } from './changes.ts'
import { readOrBegin } from './room-state.ts'
import { trim } from './trim.ts'

/**
 * Appends posts. ARGV: new epoch, ms an empty room is kept, ms a room is kept, entries kept, bytes kept, ms a key is
 * remembered, ms an entry is kept or '', publishing command, channel; key, hash, since, content and size of each draft, and for a
 * streaming one code points, bytes, and bytes in JSON of its text, else ''. Returns the room's charge, 1 (0 if publishing failed),
 * the epoch, the time, and for each draft its offset, 'stale', 'reused', or offset and time of the post that it repeats.
 */
export const append: Script = {
  name: 'fastifyChatAppend',
  keys: 3,
  writes: true,
  lua: `${readOrBegin}
local isStreaming = false
for i = 15, #ARGV, 6 do isStreaming = isStreaming or ARGV[i] ~= '' end
if isStreaming then${beginChanges}end
${trim}local ttl, entriesKept, bytesKept, dedupWindow = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local at = math.max(now, state.at)
local headBefore = decimal(state.at) .. '-' .. decimal(state.offset)
local reply, contents = { 0, 1, state.epoch, decimal(at) }, {}
local hasNewKeys = state.offset == 0 or state.keys == 0
-- The exact time of a trimmed entry is no longer known, only its range.
local function existed(epoch, at, digits)
  local offset = tonumber(digits)
  if epoch ~= state.epoch or offset > state.offset then return false end
  if offset == 0 then return at == decimal(state.beginning) end
  if offset >= state.first then return #redis.call('XRANGE', log, at .. '-' .. digits, at .. '-' .. digits) == 1 end
  return tonumber(at) >= state.beginning and tonumber(at) <= state.at
end
${beginStream}for i = 10, #ARGV, 6 do
  local key, hash, since, content, size, streamed = unpack(ARGV, i, i + 5)
  local post = key ~= '' and redis.call('HGET', room, '=' .. key)
  local outcome
  if post then
    local offset, postedAt, firstHash = string.match(post, '^(%d+) (%d+) (.*)$')
    outcome = firstHash == hash and offset .. ' ' .. postedAt or 'reused'
  elseif since ~= '' then
    local epoch, sinceAt, offset = string.match(since, '^(.*) (%d+) (%d+)$')
    if not existed(epoch, sinceAt, offset) or tonumber(offset) < state.forgotten then outcome = 'stale' end
  end
  if not outcome then
    outcome = state.offset + 1
    redis.call('XADD', log, decimal(at) .. '-' .. decimal(outcome), 'e', content, 's', size)
    if key ~= '' then
      post = decimal(outcome) .. ' ' .. decimal(at) .. ' ' .. hash
      redis.call('HSET', room, '=' .. key, post)
      redis.call('RPUSH', order, key)
      state.keys, state.keyBytes = state.keys + 1, state.keyBytes + chargeOfKey(key, post)
    end
    state.offset, state.at, state.bytes = outcome, at, state.bytes + chargeOfEntry(content)
    if streamed ~= '' then beginStream(outcome, decimal(at), size, streamed) end
    contents[#contents + 1] = streamed == '' and content or '{"stream":' .. content .. '}'
  end
  reply[#reply + 1] = outcome
end
if #contents == 0 then
  reply[1] = charge()
  return reply
end

-- Trims many entries at once: the cost of a trim hardly depends on their number.
local oldestKept = ARGV[7] == '' and -math.huge or now - ARGV[7]
local hasOld = ARGV[7] ~= '' and state.offset % 10 < #contents and hasUntil(oldestKept)
local bytes = changes and state.bytes + changes.edited or state.bytes
if hasOld or state.offset - state.first + 1 > entriesKept + math.min(100, entriesKept / 10) or bytes > bytesKept then
  trim(entriesKept, bytes > bytesKept and bytesKept * 0.9 or bytesKept, oldestKept)
end
-- Runs at every tenth entry only: mostly, no key has to be removed.
for _ = 1, state.offset % 10 < #contents and 100 + 2 * #contents or 0 do
  local key = redis.call('LINDEX', order, 0)
  if not key then break end
  local post = redis.call('HGET', room, '=' .. key) or '0 0 '
  local digits, postedAt = string.match(post, '^(%d+) (%d+)')
  local offset = tonumber(digits)
  if (offset >= state.first or tonumber(postedAt) > at - dedupWindow) and state.keys <= entriesKept * 10 then break end
  redis.call('LPOP', order)
  redis.call('HDEL', room, '=' .. key)
  state.keys, state.keyBytes, state.forgotten = state.keys - 1, state.keyBytes - chargeOfKey(key, post), offset
end
if hasNewKeys or now - state.renewed > ttl / 10 then
  state.renewed = now
  expireIn(ttl)
end
save()
local message = (control and control .. '!' or '') .. state.epoch .. '-' .. headBefore .. '-' .. decimal(at) .. '[' .. table.concat(contents, ',') .. ']'
if type(redis.pcall(ARGV[8], ARGV[9], message)) == 'table' then reply[2] = 0 end
reply[1] = charge()
return reply
`
}
