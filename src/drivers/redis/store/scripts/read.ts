import type { Script } from '../../client/script.ts'
import { carriedSince } from './carried-controls.ts'
import { isRemembered, stateInJson } from './changes.ts'
import { changedSince, readChanged } from './changed.ts'
import { content } from './content.ts'
import { controlsSince } from './controls-since.ts'
import { newestChange } from './newest-change.ts'
import { readOrBegin, readState } from './room-state.ts'
import { trimOld } from './trim.ts'
import { unread } from './unread.ts'

/**
 * Reads a page. ARGV: new epoch, ms an empty room is kept, or '' if the read is no use of the room, and creates none, 'after', 'before',
 * 'at' or 'newest', id, epoch of the position, maximum number of entries, maximum bytes, ms after which an entry is left out, and removed
 * by `trimOld`, or ''; JSON and bucket of the member whose reactions are marked, or ''; epoch, time and number of the revision after which
 * entries changed, or ''; bytes of the controls after that revision, or '' for none; epoch and id of a read position, or ''; ms a room is
 * kept. Returns the room's charge, epoch, beginning, last time, last offset, 1 if the page is complete, 1 if there are more entries, ids,
 * contents; number and time of the newest change, 1 if the content of deleted entries is overdue, states of the entries or '[]', number of
 * unread entries, or -1 without a read position; and in a room with changes, if there was a revision: ids, contents and states of changed
 * entries, 1 if there are more of them, the id of the oldest entry if an entry that changed was removed, or '', and the controls, in a page
 * that isn't complete too. A page that can't have all controls has none, and isn't complete. After a revision of a cleared epoch, it has
 * those that the room carries.
 */
export const read: Script = {
  name: 'fastifyChatRead',
  keys: 3,
  // A read begins an epoch at most once, removes what is too old and renews the ttl, so it can be repeated without harm.
  writes: false,
  lua: `${readOrBegin}${trimOld}${isRemembered}${newestChange}${unread}${content}${stateInJson}${readChanged}${controlsSince}${carriedSince}if not lost then trimOld(ARGV[8]) end
if not lost and ARGV[2] ~= '' then
  local ttl = state.offset == 0 and ARGV[2] or ARGV[17]
  -- Fails where Redis rejects writes: the script then only reads. While Redis is out of memory it allows this write, and then
  -- all later ones.
  if now - state.renewed > ttl / 10 and type(redis.pcall('PEXPIRE', room, ttl)) ~= 'table' then
    expireIn(ttl)
    redis.call('HSET', room, 'renewed', decimal(now))
  end
end
local direction, id, limit, maxBytes = ARGV[3], ARGV[4], tonumber(ARGV[6]), tonumber(ARGV[7])
local isBeginning = id == decimal(state.beginning) .. '-0'
local complete = 1
local oldest = oldestId(now, ARGV[8])
local function isHonoured()
  if ARGV[5] ~= state.epoch then return false end
  if isBeginning then
    if state.first > 1 then return false end
    local first = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
    return not first or oldest == '-' or #redis.call('XRANGE', log, oldest, first[1], 'COUNT', 1) == 1
  end
  return isKept(log, id, oldest)
end
local hasRevision = ARGV[11] ~= ''
local isKnown = not hasRevision or isRemembered(ARGV[11], ARGV[12], ARGV[13])
-- A follower needs the controls also if its entry was removed.
local controls = false
if direction == 'after' and ARGV[14] ~= '' then
  if isKnown then
    controls = controlsSince(tonumber(ARGV[13]), tonumber(ARGV[14]))
  elseif ARGV[11] ~= state.epoch then
    controls = carriedSince(ARGV[11], tonumber(ARGV[12]), tonumber(ARGV[13]))
  end
end
if direction ~= 'newest' and (not isKnown or controls == nil or not isHonoured()) then direction, complete = 'newest', 0 end
local function range(from, count)
  if direction == 'at' then return redis.call('XRANGE', log, id, id) end
  if direction == 'after' then return redis.call('XRANGE', log, from, '+', 'COUNT', count) end
  return redis.call('XREVRANGE', log, from, oldest, 'COUNT', count)
end
local from = direction == 'newest' and '+' or '(' .. id
local entries, states, bytes, more = {}, {}, 0, 0
-- No entry is before the beginning, or in a new epoch.
if lost or (isBeginning and direction == 'before') then limit, from = 0, nil end
while from and more == 0 do
  local found = range(from, math.min(100, limit - #entries + 1))
  local foundStates, sizes
  if hasStates then foundStates, sizes = statesOf(found) end
  for i, entry in ipairs(found) do
    bytes = bytes + (sizes and sizes[i] or entry[2][4])
    if #entries == limit or (bytes > maxBytes and #entries > 0) then
      more = 1
      break
    end
    entries[#entries + 1] = entry
    states[#entries] = foundStates and foundStates[i]
  end
  if #found == 0 or direction == 'at' then break end
  from = '(' .. found[#found][1]
end
local ids, contents, statesInOrder = {}, {}, {}
for i = 1, #entries do
  local place = direction == 'after' and i or #entries + 1 - i
  ids[i], contents[i], statesInOrder[i] = entries[place][1], entries[place][2][2], states[place]
end
local number, changedAt, overdue = newestChange()
local unreadCount = ARGV[15] == '' and -1 or countAfter(ARGV[15] == state.epoch, ARGV[16], log, state.first, state.offset, oldest)
local reply = {
  charge(), state.epoch, decimal(state.beginning), decimal(state.at), state.offset, complete, more, table.concat(ids, ' '), '[' .. table.concat(contents, ',\\n') .. ']',
  number, changedAt, overdue, '[' .. table.concat(statesInOrder, ',\\n') .. ']', unreadCount
}
if not changes or not hasRevision then return reply end
if direction == 'after' then
${changedSince}
elseif controls then
  for _, none in ipairs({ '', '[]', '[]', 0, '' }) do reply[#reply + 1] = none end
end
if controls then reply[#reply + 1] = '[' .. table.concat(controls, ',\\n') .. ']' end
return reply
`
}

/**
 * Reads the head of a room. ARGV: new ttl in ms, or '' to leave it; ttl of an empty room in ms; ms after which an
 * entry is removed by `trimOld`, or ''. Returns the room's charge, epoch, last time and last offset, the time of the last use that renewed
 * the ttl, number and time of the newest change, and 1 if the content of deleted entries is overdue; nothing if the room is lost.
 */
export const readHead: Script = {
  name: 'fastifyChatReadHead',
  keys: 3,
  writes: false,
  lua: `${readState}${trimOld}${newestChange}if lost then return {} end
trimOld(ARGV[3])
if ARGV[1] ~= '' then expireIn(state.offset == 0 and ARGV[2] or ARGV[1]) end
return { charge(), state.epoch, decimal(state.at), state.offset, decimal(state.renewed), newestChange() }
`
}
