/**
 * Functions that read the entries and fields that changes need, each once, and gather the fields that they write. Part of the amend
 * script. A value is false if there is no such field.
 */
export const fields = `
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
-- Writes the changes and their fields: all at once, because only the first write may fail.
local function writeFields()
  local renews = now - state.renewed > ttl / 10
  local fields, dead = { 'changes', packedChanges() }, {}
  for name in pairs(isChanged) do
    if values[name] then
      fields[#fields + 1] = name
      fields[#fields + 1] = values[name]
    else
      dead[#dead + 1] = name
    end
  end
  if renews then
    state.renewed = now
    fields[#fields + 1] = 'renewed'
    fields[#fields + 1] = decimal(now)
  end
  redis.call('HSET', room, unpack(fields))
  for i = 1, #dead, 1000 do redis.call('HDEL', room, unpack(dead, i, math.min(i + 999, #dead))) end
  if renews then expireIn(ttl) end
end
`
