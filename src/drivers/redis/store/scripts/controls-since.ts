/** Bytes that a control counts besides its JSON. */
export const CONTROL_BYTES = 100

/**
 * Function that returns the controls after a remembered change, each as number, time and control in an array in JSON, oldest first. Returns
 * nil if they exceed a number of bytes, or one is missing. Follows `readState`.
 */
export const controlsSince = `
local function controlsSince(since, maxBytes)
  local found, bytes, digits = {}, 0, control and string.match(control, '^%d+') or '0'
  while tonumber(digits) > since do
    local item = redis.call('HGET', room, '!' .. digits)
    local at, before, value = string.match(item or '', '^(%d+) 0 %d+ (%d+) (.*)$')
    bytes = bytes + ${CONTROL_BYTES} + #(value or '')
    if not at or bytes > maxBytes then return nil end
    table.insert(found, 1, '[' .. digits .. ',' .. at .. ',' .. value .. ']')
    digits = before
  end
  return found
end
`
