/** Functions that count the entries after a read position. An id `oldest` is before all entries that aren't too old; '-' if no entry is. */
export const unread = `
-- Returns an id for an age in ms, or '' for none.
local function oldestId(now, age) return age == '' and '-' or string.format('%.0f-0', math.max(0, now - age + 1)) end
local function isKept(log, id, oldest)
  return #redis.call('XRANGE', log, id, id) == 1 and (oldest == '-' or #redis.call('XRANGE', log, oldest, id, 'COUNT', 1) == 1)
end
-- Returns the number of the kept entries. What is too old is removed later.
local function countKept(log, first, last, oldest)
  if oldest == '-' or last == 0 then return last - first + 1 end
  local entry = redis.call('XRANGE', log, oldest, '+', 'COUNT', 1)[1]
  return entry and last - string.match(entry[1], '%d+$') + 1 or 0
end
-- The beginning and the newest removed entry need not be honoured: after them are all kept entries too.
local function countAfter(isInEpoch, id, log, first, last, oldest)
  if isInEpoch and last > 0 and isKept(log, id, oldest) then return last - string.match(id, '%d+$') end
  return countKept(log, first, last, oldest)
end
`
