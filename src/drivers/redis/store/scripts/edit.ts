import { STREAMING } from './changes.ts'

/** Number of idle keys that are remembered between two changes. */
const MAX_IDLE_KEYS = 1_000

/**
 * Functions that edit or delete an entry. They change `target`, the state of the entry, and return 'unchanged', or why the change was
 * rejected, or nil and what the record of the change has. Part of the amend script, which has read the fields.
 */
export const edit = `
local function edit(target, value, size, _, key, hash)
  local contentField, content = '$' .. target.digits, target.log
  local start = afterAuthor(content) + 1
  if string.sub(content, start, start) == '[' then return 'binary' end
  if target.progress == '${STREAMING}' then return 'streaming' end
  if value == (values[contentField] or string.sub(content, start, -2)) and (key == '' or changes.idle < ${MAX_IDLE_KEYS}) then
    if key ~= '' then
      changes.idle = changes.idle + 1
      list('!' .. decimal(changes.number + 1) .. ':' .. decimal(changes.idle), key)
      list('+' .. key, target.change .. ' ' .. hash)
    end
    return 'unchanged'
  end
  target.editedAt, target.size, target.charge = decimal(at), size, chargeOfField(contentField, value)
  set(contentField, value)
  return nil, ',' .. value
end
local function delete(target)
  if target.flags ~= '0' then return 'unchanged' end
  local digits, reactionsField = target.digits, '#' .. target.digits
  if target.progress == '${STREAMING}' then
    local streamField = '%' .. digits
    load({ streamField })
    for _, field in ipairs(fieldsOfStream(digits, values[streamField])) do set(field, false) end
  end
  target.flags, target.editedAt, target.size, target.progress, target.charge = '3', '0', '0', '', 0
  set('$' .. digits, false)
  if values[reactionsField] then
    changes.reacted = changes.reacted - chargeOfReactions(reactionsField, values[reactionsField])
    for _, field in ipairs(fieldsOf(digits)) do set(field, false) end
  end
  if changes.deleted == 0 then changes.deletedAt = now end
  changes.deleted = changes.deleted + 1
end
`
