import type { Script } from '../../client/script.ts'
import { beginChanges, changeFunctions, forgetOldChanges } from './changes.ts'
import { readOrBegin } from './room-state.ts'

/**
 * Stores and publishes a control. ARGV: new epoch, ms an empty room is kept, ms a room is kept, entries kept, bytes kept, ms a key is
 * remembered, ms an entry is kept or '', publishing command, channel, control in JSON. Returns the room's charge, 1 (0 if publishing
 * failed), the epoch, the number and the time of the control, and the last offset.
 */
export const control: Script = {
  name: 'fastifyChatControl',
  keys: 3,
  writes: true,
  lua: `${readOrBegin}${beginChanges}${changeFunctions}
local ttl, entriesKept, dedupWindow = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[6])
local at = math.max(now, changes.at)
local before = state.epoch .. '-' .. decimal(changes.at) .. '-c' .. decimal(changes.number)
local item = decimal(at) .. ' 0 ' .. decimal(changes.idle) .. ' ' .. (control and string.match(control, '^%d+') or '0') .. ' ' .. ARGV[10]
if control then changes.listed = changes.listed - chargeOfField('control', control) end
changes.number, changes.at, changes.idle = changes.number + 1, at, 0
control = decimal(changes.number) .. '-' .. decimal(at)
local itemField = '!' .. decimal(changes.number)
changes.listed = changes.listed + chargeOfField(itemField, item) + chargeOfField('control', control)
local written = { 'changes', packedChanges(), itemField, item, 'control', control }
-- A room without entries keeps the ttl of an empty one.
local renews = state.offset > 0 and now - state.renewed > ttl / 10
if renews then
  state.renewed = now
  written[#written + 1] = 'renewed'
  written[#written + 1] = decimal(now)
end
redis.call('HSET', room, unpack(written))
if renews then expireIn(ttl) end
local records = { '{"control":' .. ARGV[10] .. '}' }
${forgetOldChanges}
local isPublished = type(redis.pcall(ARGV[8], ARGV[9], before .. '-' .. decimal(at) .. '[' .. records[1] .. ']')) ~= 'table'
return { charge(), isPublished and 1 or 0, state.epoch, decimal(changes.number), decimal(at), state.offset }
`
}
