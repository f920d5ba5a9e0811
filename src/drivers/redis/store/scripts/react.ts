import { MAX_REACTION_PAIRS, MAX_REACTIONS } from '../../../../request-bounds.ts'

/**
 * Function that adds or removes a member's reaction to an entry. Returns 'unchanged', or 'tooMany', or nil and the count of the
 * reaction afterwards. Member and reaction are JSON: their quotes and line breaks are escaped, so that a search for either with
 * what is around it finds no part of another. Part of the amend script, which has read the fields.
 */
export const react = `
local function react(digits, bucketDigits, member, reaction, isOn)
  local field, bucketField = '#' .. digits, '@' .. digits .. ':' .. bucketDigits
  local old, oldBucket = values[field], values[bucketField]
  local bucket, line = oldBucket or '\\n', member .. ' ' .. reaction .. '\\n'
  local lineStart, lineEnd = string.find(bucket, '\\n' .. line, 1, true)
  if (lineStart ~= nil) == isOn then return 'unchanged' end
  local pairsCount, kinds, bytes, list = 0, 0, 0, ''
  if old then
    pairsCount, kinds, bytes, list = string.match(old, '^(%d+) (%d+) (%d+) (.*)$')
    pairsCount, kinds, bytes = tonumber(pairsCount), tonumber(kinds), tonumber(bytes)
  end
  local start = '[' .. reaction .. ','
  local first, last = string.find(list, start, 1, true)
  if isOn and (pairsCount >= ${MAX_REACTION_PAIRS} or (not first and kinds >= ${MAX_REACTIONS})) then return 'tooMany' end
  local count, rest = 0, ''
  if first then count, rest = string.match(list, '^(%d+)%](.*)$', last + 1) end
  count = count + (isOn and 1 or -1)
  if not first then
    kinds, list = kinds + 1, list .. (list == '' and '' or ',') .. start .. '1]'
  elseif count > 0 then
    list = string.sub(list, 1, last) .. decimal(count) .. ']' .. rest
  else
    -- Without the comma after it, or before it if it is the last.
    kinds, list = kinds - 1, rest ~= '' and string.sub(list, 1, first - 1) .. string.sub(rest, 2) or string.sub(list, 1, math.max(0, first - 2))
  end
  pairsCount = pairsCount + (isOn and 1 or -1)
  bucket = isOn and bucket .. line or string.sub(bucket, 1, lineStart) .. string.sub(bucket, lineEnd + 1)
  if bucket == '\\n' then bucket = false end
  bytes = bytes - (oldBucket and chargeOfField(bucketField, oldBucket) or 0) + (bucket and chargeOfField(bucketField, bucket) or 0)
  local new = pairsCount > 0 and decimal(pairsCount) .. ' ' .. decimal(kinds) .. ' ' .. decimal(bytes) .. ' ' .. list
  local reacted = changes.reacted - (old and chargeOfReactions(field, old) or 0) + (new and chargeOfReactions(field, new) or 0)
  if isOn and reacted > bytesKept / 4 then return 'tooMany' end
  changes.reacted = reacted
  set(field, new)
  set(bucketField, bucket)
  return nil, count
end
`
