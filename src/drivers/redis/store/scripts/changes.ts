import { BUCKETS } from '../buckets.ts'
import { changeFields } from './room-state.ts'

/*
 * Changes of entries are fields of the hash `room`. Versions without changes leave them alone.
 * changes: numbers of the room, see room-state.ts.
 * !<number>: time, offset, number of idle keys, and key of a remembered change. !<number>:<i>: a key of an edit without an effect
 * that was made after the change before; it is idle. Each key is forgotten with the change it is listed with.
 * A control has such a field too: time, 0, number of idle keys, number of the control before or 0, and the control in JSON. A version
 * without controls takes the last two for a key of an edit that it doesn't know.
 * control: `<number>-<time>` of the newest control. It stays when that control is forgotten.
 * +<key>: number, time and hash of the edit with a remembered key.
 * ~<offset>: state of an entry: number and time of its last change, flags (1: deleted, 2: its content is still in the stream), time
 * of its last edit or 0, time of its storage, size and charge of its edited or streamed content. The size has a fraction while the entry
 * is streaming (.1), or if it is unfinished (.2). A version without streams reads and removes such an entry as any other, but rejects
 * its changes: it takes its state for invalid data. Number 0: a streaming entry that never changed.
 * $<offset>: edited content: body and data, as in the entry.
 * #<offset>: number of pairs, of reactions, charge of the buckets; then lines with [reaction, count], in order of the first use.
 * %<offset>: stream of a streaming entry: length of its text in code points, its bytes, bytes of the folded text in JSON, number
 * and bytes of the pieces since, time of the last renewal. The folded text is in $<offset>, or in the entry itself.
 * %<offset>:<i>: a piece, as JSON without quotes. streams: offsets of streaming entries. Entries that ended may be among them.
 * @<offset>:<bucket>: lines with a member and a reaction. A bucket has the members with one hash of their id, so that a reaction
 * rewrites a small part of them, and all fields of an entry are known without a scan.
 */

/** Charge of the state of an entry without its content. */
export const STATE = 192

/** Charge of the stream of an entry without its text, with its offset in `streams`. */
export const STREAM = 184

/** Fractions of the size in the state of an entry: its progress. There is none for an entry that is complete. */
export const [STREAMING, UNFINISHED] = ['.1', '.2']

/** Begins the changes of a room that has none. Follows `readState`. */
export const beginChanges = `
if state.epoch and not changes then
  changes, changeFields = { number = 0, at = state.beginning, base = 0, baseAt = state.beginning, idle = 0, entries = 0, edited = 0, reacted = 0, listed = 0, trimmed = 0, swept = state.first, deleted = 0, deletedAt = 0 }, ${changeFields}
end
`

/** Functions that exist in a room with changes only: a post in any other room doesn't create them. They follow `readState`. */
export const changeFunctions = `
local chargeOfField, chargeOfReactions, packedChanges, fieldsOf, namesOfPieces, fieldsOfStream, sweep
if changes then
  -- Redis rounds each allocation up by at most a quarter.
  chargeOfField = function(field, value) return math.floor(1.25 * (#field + #value)) + 72 end
  chargeOfReactions = function(field, value) return chargeOfField(field, value) + tonumber(string.match(value, '^%d+ %d+ (%d+)')) end
  packedChanges = function()
    local values = {}
    for i, field in ipairs(changeFields) do values[i] = decimal(changes[field]) end
    return table.concat(values, ' ')
  end
  -- Returns the names of the fields of an entry's reactions.
  fieldsOf = function(digits)
    local names = { '#' .. digits }
    for bucket = 0, ${BUCKETS - 1} do names[#names + 1] = '@' .. digits .. ':' .. bucket end
    return names
  end
  namesOfPieces = function(digits, count)
    local names = {}
    for i = 1, count do names[i] = '%' .. digits .. ':' .. i end
    return names
  end
  -- Returns the names of the fields of an entry's stream.
  fieldsOfStream = function(digits, stream)
    local names = namesOfPieces(digits, tonumber(string.match(stream, '^%d+ %d+ %d+ (%d+)')))
    names[#names + 1] = '%' .. digits
    return names
  end
  -- Removes the states of entries that were removed, by this version or by one that doesn't know of changes.
  sweep = function()
    if changes.swept >= state.first then return end
    local offset = changes.swept
    while changes.entries > 0 and offset < state.first do
      local names = {}
      for i = offset, math.min(offset + 49, state.first - 1) do
        names[#names + 1] = '~' .. decimal(i)
        names[#names + 1] = '#' .. decimal(i)
      end
      local values = redis.call('HMGET', room, unpack(names))
      for i = 1, #values, 2 do
        if values[i] then
          local number, flags, contentCharge = string.match(values[i], '^(%d+),%d+,(%d+),.*,(%d+)$')
          local digits = string.sub(names[i], 2)
          changes.trimmed = math.max(changes.trimmed, tonumber(number))
          changes.entries, changes.listed, changes.edited = changes.entries - 1, changes.listed - ${STATE}, changes.edited - contentCharge
          if flags == '3' then changes.deleted = changes.deleted - 1 end
          redis.call('HDEL', room, names[i], '$' .. digits)
          local stream = string.find(values[i], '${STREAMING},', 1, true) and redis.call('HGET', room, '%' .. digits)
          if stream then redis.call('HDEL', room, unpack(fieldsOfStream(digits, stream))) end
          if values[i + 1] then
            changes.reacted = changes.reacted - chargeOfReactions(names[i + 1], values[i + 1])
            redis.call('HDEL', room, unpack(fieldsOf(digits)))
          end
        end
      end
      offset = offset + 50
    end
    changes.swept = state.first
    redis.call('HSET', room, 'changes', packedChanges())
  end
end
`

/** Function that returns the state of an entry in JSON. Lines of reactions become the items of an array. */
export const stateInJson = `
local function stateInJson(found, content, reactions, mine)
  local list = reactions and string.gsub(string.match(reactions, '^%d+ %d+ %d+ \\n(.*)\\n$') or '', '\\n', ',') or ''
  return '[' .. found .. ',[' .. (content or '') .. '],[' .. list .. '],[' .. mine .. ']]', #list
end
`

/** Function that returns whether a change is remembered, or is the last forgotten one. Follows `readState`. */
export const isRemembered = `
local function isRemembered(epoch, at, digits)
  if epoch ~= state.epoch then return false end
  local number = tonumber(digits)
  if not changes then return number == 0 and at == decimal(state.beginning) end
  if number == changes.base then return at == decimal(changes.baseAt) end
  if number < changes.base or number > changes.number then return false end
  local item = redis.call('HGET', room, '!' .. digits)
  return item and string.match(item, '^%d+') == at
end
`

/**
 * Function that forgets the oldest remembered change with its keys. The caller saves the changes. Follows `changeFunctions`, in a room
 * with changes.
 */
export const forgetChange = `
local function forgetKey(key)
  local known = redis.call('HGET', room, '+' .. key)
  if known then changes.listed = changes.listed - chargeOfField('+' .. key, known) end
  redis.call('HDEL', room, '+' .. key)
end
local function forgetChange()
  local field = '!' .. decimal(changes.base + 1)
  local item = redis.call('HGET', room, field)
  local at, offset, idle, key = string.match(item, '^(%d+) (%d+) (%d+) (.*)$')
  if key ~= '' and offset ~= '0' then forgetKey(key) end
  for i = 1, tonumber(idle) do
    local idleKey = redis.call('HGET', room, field .. ':' .. i)
    changes.listed = changes.listed - chargeOfField(field .. ':' .. i, idleKey)
    forgetKey(idleKey)
    redis.call('HDEL', room, field .. ':' .. i)
  end
  changes.listed = changes.listed - chargeOfField(field, item)
  redis.call('HDEL', room, field)
  changes.base, changes.baseAt = changes.base + 1, tonumber(at)
end
`

/**
 * Forgets changes that are neither needed nor among the last ones. `records`: what was published of the changes that were just made. Runs at
 * every tenth change only: mostly, none has to be forgotten.
 */
export const forgetOldChanges = `
if changes.number % 10 < #records then
  ${forgetChange}
  local base = changes.base
  for _ = 1, 100 + 2 * #records do
    local item = changes.base + 1 < changes.number and redis.call('HGET', room, '!' .. decimal(changes.base + 1))
    if not item then break end
    local madeAt, offset = string.match(item, '^(%d+) (%d+)')
    local isNeeded = tonumber(offset) >= state.first or tonumber(madeAt) > at - dedupWindow
    if isNeeded and changes.number - changes.base <= entriesKept * 10 then break end
    forgetChange()
  end
  if changes.base > base then redis.call('HSET', room, 'changes', packedChanges()) end
end
`

/**
 * Function that removes the reactions to an entry. This is a change of the entry that isn't published: followers find it by a poll, or with
 * the next change. The caller saves the changes. Follows `changeFunctions`, in a room with changes.
 */
export const removeReactions = `
local function removeReactions(digits)
  local field, stateField = '#' .. digits, '~' .. digits
  local reactions, entryState = unpack(redis.call('HMGET', room, field, stateField))
  if not reactions then return end
  redis.call('HDEL', room, unpack(fieldsOf(digits)))
  changes.reacted = changes.reacted - chargeOfReactions(field, reactions)
  local item = decimal(math.max(now, changes.at)) .. ' ' .. digits .. ' ' .. decimal(changes.idle) .. ' '
  changes.number, changes.at, changes.idle = changes.number + 1, math.max(now, changes.at), 0
  local itemField = '!' .. decimal(changes.number)
  changes.listed = changes.listed + chargeOfField(itemField, item)
  local rest = string.match(entryState, '^%d+,%d+(,.*)$')
  redis.call('HSET', room, itemField, item, stateField, decimal(changes.number) .. ',' .. decimal(changes.at) .. rest)
end
`
