import { CONTROL_BYTES } from './controls-since.ts'

/** Bytes of the controls that a room carries from its cleared epochs, as many as a feed reads at once. The oldest ones are left out. */
const MAX_BYTES = 64 * 1024

/** ms that a control is carried: a day. */
const MAX_AGE = 24 * 3_600_000

/*
 * carried: a field of the hash `room`, with the last controls of the cleared epochs. A follower that was out of touch may not have received
 * them. Lines, oldest first: epoch, number and time of a control, and the control in JSON; number 0 for an epoch without controls, so that
 * the order of the epochs is known. Charged as `listed` of the changes.
 */

/** Function that returns the field `carried` for the next epoch; '' if there is no control. Follows `readState`. */
export const carriedControls = `
local function carriedControls()
  local lines, bytes, hasControls = {}, 0, false
  -- Returns whether a line was added before the others.
  local function add(line, at, isControl)
    bytes = bytes + ${CONTROL_BYTES} + #line
    if bytes > ${MAX_BYTES} or tonumber(at) < now - ${MAX_AGE} then return false end
    lines[#lines + 1] = line
    hasControls = hasControls or isControl
    return true
  end
  local digits = control and string.match(control, '^%d+') or '0'
  while digits ~= '0' do
    local at, before, value = string.match(redis.call('HGET', room, '!' .. digits) or '', '^(%d+) 0 %d+ (%d+) (.*)$')
    if not at or not add(state.epoch .. ' ' .. digits .. ' ' .. at .. ' ' .. value .. '\\n', at, true) then break end
    digits = before
  end
  if #lines == 0 then add(state.epoch .. ' 0 ' .. decimal(now) .. ' \\n', now, false) end
  local earlier = {}
  for line, number, at in string.gmatch(redis.call('HGET', room, 'carried') or '', '(%S+ (%d+) (%d+) [^\\n]*\\n)') do
    table.insert(earlier, 1, { line, at, number ~= '0' })
  end
  for _, line in ipairs(earlier) do if not add(unpack(line)) then break end end
  local inOrder = {}
  for i = #lines, 1, -1 do inOrder[#inOrder + 1] = lines[i] end
  return hasControls and table.concat(inOrder) or ''
end
`

/**
 * Function that returns the carried controls after a change of an earlier epoch, each as number, time, control and epoch in an array in
 * JSON, oldest first. Follows `readState`.
 */
export const carriedSince = `
local function carriedSince(epoch, at, number)
  local carried = redis.call('HGET', room, 'carried') or ''
  -- An epoch that isn't listed is older than all lines, unless Redis was restored from an older save.
  local isListed = string.find('\\n' .. carried, '\\n' .. epoch .. ' ', 1, true)
  local hasPassed, found = false, {}
  for of, digits, madeAt, value in string.gmatch(carried, '(%S+) (%d+) (%d+) ([^\\n]*)\\n') do
    local isLater
    if of == epoch then
      hasPassed, isLater = true, tonumber(digits) > number
    elseif isListed then
      isLater = hasPassed
    else
      isLater = tonumber(madeAt) >= at
    end
    if isLater and digits ~= '0' then found[#found + 1] = '[' .. digits .. ',' .. madeAt .. ',' .. value .. ',"' .. of .. '"]' end
  end
  return found
end
`
