import { changeFunctions } from './changes.ts'

/** Functions that remove the oldest entries of a room, but never the last one. They follow `readState`. */
export const trim = `${changeFunctions}
local function timeOf(id) return tonumber(string.match(id, '^%d+')) end
-- Returns whether the oldest entry was stored at this time or before.
local function hasUntil(time)
  local entry = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
  return entry and timeOf(entry[1]) <= time
end
-- Removes entries beyond a number and a charge, and those stored until oldestKept. The caller saves the state.
local function trim(entriesKept, bytesKept, oldestKept)
  if changes then sweep() end
  -- Returns the states of entries; false for those that never changed.
  local function statesOf(entries)
    local names = {}
    for i, entry in ipairs(entries) do names[i] = '~' .. string.match(entry[1], '%d+$') end
    return #names > 0 and redis.call('HMGET', room, unpack(names)) or {}
  end
  local kept = state.offset - state.first + 1
  local edited = changes and changes.edited or 0
  local oldest, from = nil, '-'
  for _ = 1, 100 do
    local entries = redis.call('XRANGE', log, from, '+', 'COUNT', 20)
    local states = edited > 0 and statesOf(entries)
    for i, entry in ipairs(entries) do
      oldest = entry[1]
      if kept == 1 or (kept <= entriesKept and state.bytes + edited <= bytesKept and timeOf(entry[1]) > oldestKept) then break end
      kept, state.bytes, oldest = kept - 1, state.bytes - chargeOfEntry(entry[2][2]), nil
      from = '(' .. entry[1]
      if states and states[i] then edited = edited - string.match(states[i], '%d+$') end
    end
    if oldest then break end
  end
  redis.call('XTRIM', log, 'MINID', oldest or redis.call('XRANGE', log, from, '+', 'COUNT', 1)[1][1])
  state.first = state.offset - kept + 1
  if changes then sweep() end
end
`

/**
 * Function that removes the entries that are older than an age in ms, or '' for none, and saves the state. The newest of them
 * stays: a follower that missed the entry after it continues from there. For scripts that wrote nothing before.
 */
export const trimOld = `${trim}
local function trimOld(age)
  if age == '' then return end
  local newest = redis.call('XREVRANGE', log, decimal(math.max(0, now - age)), '-', 'COUNT', 1)[1]
  local oldestKept = newest and timeOf(newest[1]) - 1
  if not newest or not hasUntil(oldestKept) then return end
  -- Trims nothing, and fails where Redis rejects writes: the script then only reads. While Redis is out of memory it allows
  -- this write, and then all later ones of the script.
  if type(redis.pcall('XTRIM', log, 'MAXLEN', state.offset - state.first + 1)) == 'table' then return end
  trim(math.huge, math.huge, oldestKept)
  save()
end
`
