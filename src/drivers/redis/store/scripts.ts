import type { Script } from '../client/script.ts'

/*
 * Keys of a room, all in one slot.
 * room, a hash: the state, and under `=<key>` the offset, time and hash of the post with each remembered key.
 * log, a stream: entries, as `<time>-<offset>`, with content and size. order, a list: remembered keys, oldest first.
 *
 * A room is charged the memory that Redis 7 uses for it, or slightly more (measured; a test compares). Allocations of more
 * than 1 KiB are rounded up by up to a quarter, a stream allocates 4 KiB with its first entry, and a room has an entry in
 * the chat's index. The name of a room is in three keys, and twice in the index.
 *
 * Scripts aren't rolled back. Redis rejects the first write of a script (out of memory, a replica, no disk) or none;
 * without a `#!lua` line it does so since 6.2. So the first write must take memory: if it succeeds, all writes do.
 * A script without a reply ran completely or not at all. A rejected PUBLISH doesn't fail a script: followers find the
 * stored entries by a poll.
 */

/**
 * Reads the state of a room. A room is lost if it was evicted, flushed, deleted or modified, even in part. It then begins a
 * new epoch, which shows the loss to followers and clients.
 */
export const open = `
local room, log, order = KEYS[1], KEYS[2], KEYS[3]
local state = {}
local fields = { 'tag', 'born', 'at', 'n', 'first', 'bytes', 'keys', 'keyBytes', 'forgotten', 'renewed' }
for i, value in ipairs(redis.call('HMGET', room, unpack(fields))) do
  state[fields[i]] = i == 1 and value or tonumber(value)
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function costOf(content) return #content + 48 + (#content > 1024 and math.floor(#content / 4) or 0) end
local function keyCost(key, known) return 2 * #key + #known + 160 end
local function cost() return 1792 + 5 * #room + state.keyBytes + (state.n == 0 and 0 or math.max(4096, state.bytes)) end
local function text(number) return string.format('%.0f', number) end
local function save()
  local values = {}
  for i, field in ipairs(fields) do
    values[2 * i - 1] = field
    values[2 * i] = i == 1 and state.tag or text(state[field])
  end
  redis.call('HSET', room, unpack(values))
end
local function renew(life)
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, life) end
end
local lost = not state.tag or not state.keyBytes or redis.call('XLEN', log) ~= state.n - state.first + 1 or redis.call('LLEN', order) ~= state.keys
local function begin(tag, life)
  local born = math.max(now, state.at or 0)
  state = { tag = tag, born = born, at = born, n = 0, first = 1, bytes = 0, keys = 0, keyBytes = 0, forgotten = 0, renewed = now }
  save()
  redis.call('DEL', room, log, order)
  save()
  renew(life)
end
`

/** Reads the state of a room. Begins an epoch if the room is new or lost. ARGV: new epoch, ms an empty room is kept. */
const enter = `${open}
if lost then begin(ARGV[1], ARGV[2]) end
`

/**
 * Appends posts. ARGV: new epoch, ms an empty room is kept, ms a room is kept, entries kept, bytes kept, ms a key is
 * remembered, publishing command, channel; key, hash, since, content and size of each draft.
 * Returns the room's charge, 1 (0 if publishing failed), the epoch, the time, and for each draft its
 * offset, 'stale', 'reused', or offset and time of the post that it repeats.
 */
export const append: Script = {
  name: 'fastifyChatAppend',
  keys: 3,
  writes: true,
  lua: `${enter}
local life, entriesKept, bytesKept, keyLife = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local at = math.max(now, state.at)
local before = text(state.at) .. '-' .. text(state.n)
local reply, contents = { 0, 1, state.tag, text(at) }, {}
local fresh = state.n == 0 or state.keys == 0
-- The exact time of a trimmed entry is no longer known, only its range.
local function existed(tag, at, n)
  local offset = tonumber(n)
  if tag ~= state.tag or offset > state.n then return false end
  if offset == 0 then return at == text(state.born) end
  if offset >= state.first then return #redis.call('XRANGE', log, at .. '-' .. n, at .. '-' .. n) == 1 end
  return tonumber(at) >= state.born and tonumber(at) <= state.at
end
for i = 9, #ARGV, 5 do
  local key, hash, since, content, size = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local known = key ~= '' and redis.call('HGET', room, '=' .. key)
  local outcome
  if known then
    local n, when, first = string.match(known, '^(%d+) (%d+) (.*)$')
    outcome = first == hash and n .. ' ' .. when or 'reused'
  elseif since ~= '' then
    local tag, when, n = string.match(since, '^(.*) (%d+) (%d+)$')
    if not existed(tag, when, n) or tonumber(n) < state.forgotten then outcome = 'stale' end
  end
  if not outcome then
    outcome = state.n + 1
    redis.call('XADD', log, text(at) .. '-' .. text(outcome), 'e', content, 's', size)
    if key ~= '' then
      known = text(outcome) .. ' ' .. text(at) .. ' ' .. hash
      redis.call('HSET', room, '=' .. key, known)
      redis.call('RPUSH', order, key)
      state.keys, state.keyBytes = state.keys + 1, state.keyBytes + keyCost(key, known)
    end
    state.n, state.at, state.bytes = outcome, at, state.bytes + costOf(content)
    contents[#contents + 1] = content
  end
  reply[#reply + 1] = outcome
end
if #contents == 0 then
  reply[1] = cost()
  return reply
end

-- Trims many entries at once: the cost of a trim hardly depends on their number.
local kept = state.n - state.first + 1
if kept > entriesKept + math.min(100, entriesKept / 10) or state.bytes > bytesKept then
  local oldest, from = nil, '-'
  for _ = 1, 100 do
    for _, entry in ipairs(redis.call('XRANGE', log, from, '+', 'COUNT', 20)) do
      oldest = entry[1]
      if kept == 1 or (kept <= entriesKept and state.bytes <= bytesKept * 0.9) then break end
      kept, state.bytes, oldest = kept - 1, state.bytes - costOf(entry[2][2]), nil
      from = '(' .. entry[1]
    end
    if oldest then break end
  end
  redis.call('XTRIM', log, 'MINID', oldest or redis.call('XRANGE', log, from, '+', 'COUNT', 1)[1][1])
  state.first = state.n - kept + 1
end
-- Runs at every tenth entry only: mostly, no key has to be removed.
for _ = 1, state.n % 10 < #contents and 100 + 2 * #contents or 0 do
  local key = redis.call('LINDEX', order, 0)
  if not key then break end
  local known = redis.call('HGET', room, '=' .. key) or '0 0 '
  local n, when = string.match(known, '^(%d+) (%d+)')
  n = tonumber(n)
  if (n >= state.first or tonumber(when) > at - keyLife) and state.keys <= entriesKept * 10 then break end
  redis.call('LPOP', order)
  redis.call('HDEL', room, '=' .. key)
  state.keys, state.keyBytes, state.forgotten = state.keys - 1, state.keyBytes - keyCost(key, known), n
end
if fresh or now - state.renewed > life / 10 then
  state.renewed = now
  renew(life)
end
save()
local message = state.tag .. '-' .. before .. '-' .. text(at) .. '[' .. table.concat(contents, ',') .. ']'
if type(redis.pcall(ARGV[7], ARGV[8], message)) == 'table' then reply[2] = 0 end
reply[1] = cost()
return reply
`
}

/**
 * Reads a page. ARGV: new epoch, ms an empty room is kept, 'after', 'before' or 'newest', id, epoch of the position, maximum
 * number of entries, maximum bytes. Returns the room's charge, epoch, beginning, last time, last offset, 1 if the page is
 * complete, 1 if there are more entries, ids, and contents.
 */
export const read: Script = {
  name: 'fastifyChatRead',
  keys: 3,
  // A read begins an epoch at most once, so it can be repeated without harm.
  writes: false,
  lua: `${enter}
local way, id, limit, most = ARGV[3], ARGV[4], tonumber(ARGV[6]), tonumber(ARGV[7])
local complete = 1
if way ~= 'newest' then
  local genesis = id == text(state.born) .. '-0' and state.first == 1
  if ARGV[5] ~= state.tag or not (genesis or #redis.call('XRANGE', log, id, id) == 1) then
    way, complete = 'newest', 0
  end
end
local function page(from, count)
  if way == 'after' then return redis.call('XRANGE', log, from, '+', 'COUNT', count) end
  return redis.call('XREVRANGE', log, from, '-', 'COUNT', count)
end
local from = way == 'newest' and '+' or '(' .. id
local entries, bytes, more = {}, 0, 0
if id == text(state.born) .. '-0' and way == 'before' then limit, from = 0, nil end
while from and more == 0 do
  local found = page(from, math.min(100, limit - #entries + 1))
  for _, entry in ipairs(found) do
    bytes = bytes + entry[2][4]
    if #entries == limit or (bytes > most and #entries > 0) then
      more = 1
      break
    end
    entries[#entries + 1] = entry
  end
  if #found == 0 then break end
  from = '(' .. found[#found][1]
end
local ids, contents = {}, {}
for i = 1, #entries do
  local entry = entries[way == 'after' and i or #entries + 1 - i]
  ids[i], contents[i] = entry[1], entry[2][2]
end
return { cost(), state.tag, text(state.born), text(state.at), state.n, complete, more, table.concat(ids, ' '), '[' .. table.concat(contents, ',') .. ']' }
`
}

/**
 * Reads the head of a room. ARGV: new ttl in ms, or '' to leave it; ttl of an empty room in ms. Returns the room's charge,
 * epoch, last time and last offset; nothing if the room is lost.
 */
export const look: Script = {
  name: 'fastifyChatLook',
  keys: 3,
  writes: false,
  lua: `${open}
if lost then return {} end
if ARGV[1] ~= '' then renew(state.n == 0 and ARGV[2] or ARGV[1]) end
return { cost(), state.tag, text(state.at), state.n }
`
}

/**
 * Replaces the content of an entry. Redis can't change an entry of a stream, so the stream is written again. ARGV: epoch, id,
 * content, size.
 */
export const eraseEntry: Script = {
  name: 'fastifyChatEraseEntry',
  keys: 3,
  writes: true,
  lua: `${open}
if lost or state.tag ~= ARGV[1] or #redis.call('XRANGE', log, ARGV[2], ARGV[2]) == 0 then return end
local entries = redis.call('XRANGE', log, '-', '+')
local life = redis.call('PTTL', log)
save()
redis.call('DEL', log)
for _, entry in ipairs(entries) do
  local content, size = entry[2][2], entry[2][4]
  if entry[1] == ARGV[2] then
    state.bytes = state.bytes - costOf(content) + costOf(ARGV[3])
    content, size = ARGV[3], ARGV[4]
  end
  redis.call('XADD', log, entry[1], 'e', content, 's', size)
end
redis.call('PEXPIRE', log, life)
save()
`
}

/** Clears a room and publishes its new epoch. ARGV: new epoch, ms an empty room is kept, publishing command, channel. */
export const eraseRoom: Script = {
  name: 'fastifyChatEraseRoom',
  keys: 3,
  writes: true,
  lua: `${open}
if lost and redis.call('EXISTS', room, log, order) == 0 then return end
begin(ARGV[1], ARGV[2])
redis.pcall(ARGV[3], ARGV[4], state.tag .. '-' .. text(state.at) .. '-0-' .. text(state.at) .. '[]')
`
}
