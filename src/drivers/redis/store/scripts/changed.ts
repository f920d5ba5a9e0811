import { STREAMING } from './changes.ts'

/**
 * Function that returns the states of entries in JSON, and the sizes of those that changed. The state of an entry that never changed
 * is 0. It follows `changeFunctions`. ARGV 9: JSON of the member whose reactions are marked, or ''. ARGV 10: bucket of the member.
 */
export const readChanged = `
local hasStates = changes and changes.entries > 0
local statesOf
if hasStates then
  -- Returns the reactions of the member among the lines of a bucket, as JSON.
  local function mineIn(bucket)
    local mine, start = {}, '\\n' .. ARGV[9] .. ' '
    local from, to = string.find(bucket, start, 1, true)
    while from do
      local last = string.find(bucket, '\\n', to, true)
      mine[#mine + 1] = string.sub(bucket, to + 1, last - 1)
      from, to = string.find(bucket, start, last, true)
    end
    return table.concat(mine, ',')
  end
  -- Returns the content of a streaming entry with the pieces of its text.
  local function streamedContent(digits, folded)
    local stream = redis.call('HGET', room, '%' .. digits)
    local foldedBytes, count = string.match(stream or '', '^%d+ %d+ (%d+) ([1-9]%d*)')
    return count and withPieces(folded, foldedBytes, redis.call('HMGET', room, unpack(namesOfPieces(digits, tonumber(count))))) or folded
  end
  statesOf = function(entries)
    local states, sizes, names, perEntry = {}, {}, {}, ARGV[9] == '' and 3 or 4
    for _, entry in ipairs(entries) do
      local digits = string.match(entry[1], '%d+$')
      local last = #names
      names[last + 1], names[last + 2], names[last + 3] = '~' .. digits, '$' .. digits, '#' .. digits
      if perEntry == 4 then names[last + 4] = '@' .. digits .. ':' .. ARGV[10] end
    end
    local values = #names > 0 and redis.call('HMGET', room, unpack(names)) or {}
    for i = 1, #entries do
      local first = (i - 1) * perEntry
      local found, content, reactions, bucket = unpack(values, first + 1, first + perEntry)
      states[i] = '0'
      if found then
        local flags, size, progress = string.match(found, '^%d+,%d+,(%d+),%d+,%d+,(%d+)(%.?%d*)')
        if progress == '${STREAMING}' then content = streamedContent(string.match(entries[i][1], '%d+$'), content or contentIn(entries[i][2][2])) end
        local reactionBytes
        states[i], reactionBytes = stateInJson(found, content, reactions, bucket and mineIn(bucket) or '')
        sizes[i] = reactionBytes + (content and size or flags ~= '0' and 0 or entries[i][2][4])
      end
    end
    return states, sizes
  end
end
`

/** Adds to the reply of a read the entries up to a position that changed after a revision. Only in a room with changes. */
export const changedSince = `
local since, last = tonumber(ARGV[13]), tonumber(string.match(id, '%d+$'))
local offsets, isRemoved = {}, changes.trimmed > since or (changes.swept < state.first and hasStates and changes.number > since)
if changes.number - since <= state.offset - state.first then
  local names, seen = {}, {}
  for number = since + 1, changes.number do names[#names + 1] = '!' .. decimal(number) end
  for i = 1, #names, 1000 do
    for _, item in ipairs(redis.call('HMGET', room, unpack(names, i, math.min(i + 999, #names)))) do
      local digits = string.match(item, '^%d+ (%d+)')
      if not seen[digits] and tonumber(digits) >= state.first and tonumber(digits) <= last then offsets[#offsets + 1] = digits end
      seen[digits] = true
    end
  end
elseif hasStates then
  for offset = state.first, last do offsets[#offsets + 1] = decimal(offset) end
end
local found = {}
for i = 1, #offsets, 1000 do
  local names = {}
  for j = i, math.min(i + 999, #offsets) do names[#names + 1] = '~' .. offsets[j] end
  for j, value in ipairs(redis.call('HMGET', room, unpack(names))) do
    local number, at = string.match(value or '', '^(%d+),%d+,%d+,%d+,(%d+)')
    if number and tonumber(number) > since then
      local digits = offsets[i + j - 1]
      local entryId = at .. '-' .. digits
      -- An entry that is too old, but not removed yet, counts as removed.
      if ARGV[8] == '' or now - ARGV[8] < tonumber(at) then found[#found + 1] = { tonumber(number), entryId, tonumber(digits) } else isRemoved = true end
    end
  end
end
table.sort(found, function(a, b) return a[1] < b[1] end)
local changedIds, changedContents, changedStates, changedBytes, moreChanged = {}, {}, {}, 0, 0
-- Returns some of the found entries. Those that follow each other are read by one command.
local function entriesOf(first, last)
  local places, byId, entries = {}, {}, {}
  for i = first, last do places[#places + 1] = found[i] end
  table.sort(places, function(a, b) return a[3] < b[3] end)
  local from = 1
  for i, place in ipairs(places) do
    if not places[i + 1] or places[i + 1][3] > place[3] + 1 then
      for _, entry in ipairs(redis.call('XRANGE', log, places[from][2], place[2])) do byId[entry[1]] = entry end
      from = i + 1
    end
  end
  for i = first, last do entries[#entries + 1] = byId[found[i][2]] end
  return entries
end
local listed = math.min(#found, limit)
for first = 1, listed, 100 do
  local entries = entriesOf(first, math.min(first + 99, listed))
  local entryStates, sizes = statesOf(entries)
  for i, entry in ipairs(entries) do
    changedBytes = changedBytes + sizes[i]
    if changedBytes > maxBytes and #changedIds > 0 then break end
    changedIds[first + i - 1], changedContents[first + i - 1], changedStates[first + i - 1] = entry[1], entry[2][2], entryStates[i]
  end
  if #changedIds < math.min(first + 99, listed) then break end
end
if #changedIds < #found then moreChanged = 1 end
local oldestKept = isRemoved and redis.call('XRANGE', log, oldest, '+', 'COUNT', 1)[1]
for _, value in ipairs({
  table.concat(changedIds, ' '), '[' .. table.concat(changedContents, ',\\n') .. ']', '[' .. table.concat(changedStates, ',\\n') .. ']', moreChanged, oldestKept and oldestKept[1] or ''
}) do reply[#reply + 1] = value end
`
