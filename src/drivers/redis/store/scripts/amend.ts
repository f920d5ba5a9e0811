import type { Script } from '../../client/script.ts'
import { beginChanges, forgetOldChanges, isRemembered, STATE, stateInJson } from './changes.ts'
import { content } from './content.ts'
import { edit } from './edit.ts'
import { fields } from './fields.ts'
import { react } from './react.ts'
import { readState } from './room-state.ts'
import { stream } from './stream.ts'
import { trim } from './trim.ts'

/**
 * Changes entries. ARGV: ms a room is kept, entries kept, bytes kept, ms a key is remembered, ms an entry is kept or '', publishing
 * command, channel; ten of each change: key, hash, since as epoch, time and number or '', epoch and id of the entry, beginning of the
 * content of an own entry or '', JSON of the member who changes it, and
 * - 'edit', the new content, its size;
 * - 'delete', two empty ones;
 * - 'react' or 'unreact', the reaction, the bucket of the member;
 * - 'append', the text in JSON without quotes, its at, code points and bytes;
 * - 'end', '.2' if the text is unfinished or '', ms since the last renewal.
 *
 * Returns the room's charge, 1 (0 if publishing failed), the epoch, 1 if the content of deleted entries is still in the stream, and for
 * each change its number and time, after '=' if nothing changed, or why it was rejected. After '?', if the node must
 * compare an appended text: number and time of the last change, 1 if the entry is streaming, and its content.
 */
export const amend: Script = {
  name: 'fastifyChatAmend',
  keys: 3,
  writes: true,
  lua: `${readState}${beginChanges}${isRemembered}${content}${stateInJson}${trim}local ttl, entriesKept, bytesKept, dedupWindow = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local oldestKept = ARGV[5] == '' and -math.huge or now - ARGV[5]
local reply, records = { 0, 1, state.epoch or '', 0 }, {}
if lost then
  for i = 8, #ARGV, 10 do reply[#reply + 1] = ARGV[i + 2] == '' and 'notKept' or 'stale' end
  return reply
end
local at = math.max(now, changes.at)
local before = state.epoch .. '-' .. decimal(changes.at) .. '-c' .. decimal(changes.number)
${fields}${edit}${react}${stream}
local apply = {
  edit = edit,
  delete = delete,
  react = function(target, reaction, bucket, member) return react(target, reaction, bucket, member, true) end,
  unreact = function(target, reaction, bucket, member) return react(target, reaction, bucket, member, false) end,
  append = append,
  ['end'] = finish
}
-- What each kind reads besides the state of the entry.
local besides = { edit = '$', delete = '#', react = '#', unreact = '#', append = '%', ['end'] = '%' }
local hasGrown = false
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
    local stateField, besidesField = '~' .. digits, besides[kind] .. digits
    load(besides[kind] == '#' and kind ~= 'delete' and { stateField, besidesField, '@' .. digits .. ':' .. more } or { stateField, besidesField })
    local target = { digits = digits, log = entry[2][2], number = '0', flags = '0', editedAt = '0', size = '0', progress = '', charge = 0 }
    local old = values[stateField]
    local madeAt, charged = nil, 0
    if old then
      target.number, madeAt, target.flags, target.editedAt, target.size, target.progress, charged = string.match(old, '^(%d+),(%d+),(%d+),(%d+),%d+,(%d+)(%.?%d*),(%d+)$')
      target.charge = tonumber(charged)
    end
    target.change = target.number ~= '0' and target.number .. ' ' .. madeAt or decimal(changes.number) .. ' ' .. decimal(changes.at)
    local made
    if kind ~= 'delete' and target.flags ~= '0' then outcome = 'deleted' else outcome, made = apply[kind](target, value, more, by, key, hash) end
    if outcome == 'unchanged' then
      outcome = '=' .. target.change
    elseif outcome == 'compare' then
      outcome = '?' .. target.change .. ' ' .. made
    end
    if not outcome then
      if not old then changes.entries, changes.listed = changes.entries + 1, changes.listed + ${STATE} end
      local item = decimal(at) .. ' ' .. digits .. ' ' .. decimal(changes.idle) .. ' ' .. key
      changes.edited = changes.edited + target.charge - charged
      changes.number, changes.at, changes.idle = changes.number + 1, at, 0
      local digitsOfChange = decimal(changes.number)
      outcome = digitsOfChange .. ' ' .. decimal(at)
      local found = digitsOfChange .. ',' .. decimal(at) .. ',' .. target.flags .. ',' .. target.editedAt .. ',' .. entryAt .. ',' .. target.size .. target.progress .. ',' .. decimal(target.charge)
      set(stateField, found)
      list('!' .. digitsOfChange, item)
      if key ~= '' then list('+' .. key, outcome .. ' ' .. hash) end
      hasGrown = hasGrown or target.charge > tonumber(charged)
      if kind == 'end' then made = made(found) end
      local record = '[' .. digits .. ',' .. entryAt .. ',' .. by .. ',"' .. kind .. '"' .. (made or '') .. ']'
      records[#records + 1] = besides[kind] == '%' and '{"stream":' .. record .. '}' or record
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
writeFields()
if hasGrown and state.bytes + changes.edited > bytesKept then
  trim(math.huge, bytesKept * 0.9, -math.huge)
  save()
end
${forgetOldChanges}if #records > 0 then
  local message = before .. '-' .. decimal(at) .. '[' .. table.concat(records, ',') .. ']'
  if type(redis.pcall(ARGV[6], ARGV[7], message)) == 'table' then reply[2] = 0 end
end
reply[1], reply[4] = charge(), changes.deleted > 0 and 1 or 0
return reply
`
}
