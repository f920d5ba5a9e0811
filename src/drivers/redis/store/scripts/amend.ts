import type { Script } from '../../client/script.ts'
import { beginChanges, forgetChange, isRemembered, STATE } from './changes.ts'
import { afterAuthor } from './content.ts'
import { react } from './react.ts'
import { readState } from './room-state.ts'
import { trim } from './trim.ts'

/** Number of idle keys that are remembered between two changes. */
const MAX_IDLE_KEYS = 1_000

/**
 * Changes entries. ARGV: ms a room is kept, entries kept, bytes kept, ms a key is remembered, ms an entry is kept or '', publishing
 * command, channel; ten of each change: key, hash, since as epoch, time and number or '', epoch and id of the entry, beginning of the
 * content of an own entry or '', JSON of the member who changes it, 'edit', 'delete', 'react' or 'unreact', the new content or the
 * reaction, the size of the content or the bucket of the member. Returns the room's charge, 1 (0 if publishing failed), the epoch, 1 if
 * the content of deleted entries is still in the stream, and for each change its number and time, after '=' if nothing
 * changed, or why it was rejected.
 */
export const amend: Script = {
  name: 'fastifyChatAmend',
  keys: 3,
  writes: true,
  lua: `${readState}${beginChanges}${isRemembered}${afterAuthor}${trim}local ttl, entriesKept, bytesKept, dedupWindow = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local oldestKept = ARGV[5] == '' and -math.huge or now - ARGV[5]
local reply, records = { 0, 1, state.epoch or '', 0 }, {}
if lost then
  for i = 8, #ARGV, 10 do reply[#reply + 1] = ARGV[i + 2] == '' and 'notKept' or 'stale' end
  return reply
end
local at = math.max(now, changes.at)
local before = state.epoch .. '-' .. decimal(changes.at) .. '-c' .. decimal(changes.number)
-- Fields that were read, and those that are to be written: all at once, because only the first write may fail. false: no such field.
local values, isChanged = {}, {}
local function load(names)
  local missing = {}
  for _, name in ipairs(names) do
    if values[name] == nil then missing[#missing + 1] = name end
  end
  if #missing == 0 then return end
  for i, value in ipairs(redis.call('HMGET', room, unpack(missing))) do values[missing[i]] = value end
end
-- What the current change writes: nothing of it is applied if the change fails.
local written
local function set(name, value) written[#written + 1] = { name, value } end
local function list(name, value)
  set(name, value)
  changes.listed = changes.listed + chargeOfField(name, value)
end
local entries = {}
local function entryOf(id)
  if not entries[id] then entries[id] = redis.call('XRANGE', log, id, id)[1] end
  return entries[id]
end
${react}local hasEdits = false
-- Makes the change whose arguments begin at this index. Returns its outcome.
local function make(i)
  local key, hash, since, epoch, id, own, by, kind, value, more = unpack(ARGV, i, i + 9)
  local outcome, entry
  if key ~= '' then load({ '+' .. key }) end
  local known = key ~= '' and values['+' .. key]
  if known then
    local number, madeAt, firstHash = string.match(known, '^(%d+) (%d+) (.*)$')
    outcome = firstHash == hash and '=' .. number .. ' ' .. madeAt or 'reused'
  elseif since ~= '' then
    if not isRemembered(string.match(since, '^(.*) (%d+) (%d+)$')) then outcome = 'stale' end
  end
  if not outcome then
    entry = epoch == state.epoch and entryOf(id)
    if not entry or timeOf(id) <= oldestKept then
      outcome = 'notKept'
    elseif string.sub(entry[2][2], 1, #own) ~= own then
      outcome = 'notOwn'
    end
  end
  if not outcome then
    local entryAt, digits = string.match(id, '^(%d+)-(%d+)$')
    local stateField, contentField = '~' .. digits, '$' .. digits
    local reactionsField = '#' .. digits
    load(kind == 'edit' and { stateField, contentField } or kind == 'delete' and { stateField, reactionsField } or { stateField, reactionsField, '@' .. digits .. ':' .. more })
    local number, madeAt, flags, editedAt, size, contentCharge = 0, 0, '0', '0', 0, 0
    local old = values[stateField]
    if old then number, madeAt, flags, editedAt, size, contentCharge = string.match(old, '^(%d+),(%d+),(%d+),(%d+),%d+,(%d+),(%d+)$') end
    local unchanged = old and '=' .. number .. ' ' .. madeAt or '=' .. decimal(changes.number) .. ' ' .. decimal(changes.at)
    local count
    if kind == 'delete' then
      if flags ~= '0' then
        outcome = unchanged
      else
        flags, editedAt, size = '3', '0', 0
        changes.edited, contentCharge = changes.edited - contentCharge, 0
        set(contentField, false)
        if values[reactionsField] then
          changes.reacted = changes.reacted - chargeOfReactions(reactionsField, values[reactionsField])
          for _, field in ipairs(fieldsOf(digits)) do set(field, false) end
        end
        if changes.deleted == 0 then changes.deletedAt = now end
        changes.deleted = changes.deleted + 1
      end
    elseif flags ~= '0' then
      outcome = 'deleted'
    elseif kind == 'edit' then
      local content = entry[2][2]
      local start = afterAuthor(content) + 1
      if string.sub(content, start, start) == '[' then
        outcome = 'binary'
      elseif value == (values[contentField] or string.sub(content, start, -2)) and (key == '' or changes.idle < ${MAX_IDLE_KEYS}) then
        outcome = unchanged
        if key ~= '' then
          changes.idle = changes.idle + 1
          list('!' .. decimal(changes.number + 1) .. ':' .. decimal(changes.idle), key)
          list('+' .. key, string.sub(unchanged, 2) .. ' ' .. hash)
        end
      else
        local charged = chargeOfField(contentField, value)
        changes.edited = changes.edited + charged - contentCharge
        editedAt, size, contentCharge, hasEdits = decimal(at), more, charged, true
        set(contentField, value)
      end
    else
      outcome, count = react(digits, more, by, value, kind == 'react')
      if outcome == 'unchanged' then outcome = unchanged end
    end
    if not outcome then
      if not old then changes.entries, changes.listed = changes.entries + 1, changes.listed + ${STATE} end
      local item = decimal(at) .. ' ' .. digits .. ' ' .. decimal(changes.idle) .. ' ' .. key
      changes.number, changes.at, changes.idle = changes.number + 1, at, 0
      local digitsOfChange = decimal(changes.number)
      outcome = digitsOfChange .. ' ' .. decimal(at)
      set(stateField, digitsOfChange .. ',' .. decimal(at) .. ',' .. flags .. ',' .. editedAt .. ',' .. entryAt .. ',' .. size .. ',' .. contentCharge)
      list('!' .. digitsOfChange, item)
      if key ~= '' then list('+' .. key, outcome .. ' ' .. hash) end
      local made = kind == 'edit' and ',' .. value or count and ',' .. value .. ',' .. decimal(count) or ''
      records[#records + 1] = '[' .. digits .. ',' .. entryAt .. ',' .. by .. ',"' .. kind .. '"' .. made .. ']'
    end
  end
  return outcome
end
for i = 8, #ARGV, 10 do
  local numbers = {}
  for _, field in ipairs(changeFields) do numbers[field] = changes[field] end
  written = {}
  local isMade, outcome = pcall(make, i)
  if isMade then
    for _, field in ipairs(written) do values[field[1]], isChanged[field[1]] = field[2], true end
  else
    -- What Redis holds of this entry or key was modified. The other changes are made.
    for field, number in pairs(numbers) do changes[field] = number end
    outcome = 'failed'
  end
  reply[#reply + 1] = outcome
end

if next(isChanged) == nil then
  reply[1] = charge()
  return reply
end
local fields, dead = { 'changes', packedChanges() }, {}
for name in pairs(isChanged) do
  if values[name] then
    fields[#fields + 1] = name
    fields[#fields + 1] = values[name]
  else
    dead[#dead + 1] = name
  end
end
local renews = now - state.renewed > ttl / 10
if renews then
  state.renewed = now
  fields[#fields + 1] = 'renewed'
  fields[#fields + 1] = decimal(now)
end
redis.call('HSET', room, unpack(fields))
for i = 1, #dead, 1000 do redis.call('HDEL', room, unpack(dead, i, math.min(i + 999, #dead))) end
if renews then expireIn(ttl) end
if hasEdits and state.bytes + changes.edited > bytesKept then
  trim(math.huge, bytesKept * 0.9, -math.huge)
  save()
end
-- Runs at every tenth change only: mostly, none has to be forgotten.
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
if #records > 0 then
  local message = before .. '-' .. decimal(at) .. '[' .. table.concat(records, ',') .. ']'
  if type(redis.pcall(ARGV[6], ARGV[7], message)) == 'table' then reply[2] = 0 end
end
reply[1], reply[4] = charge(), changes.deleted > 0 and 1 or 0
return reply
`
}
