import { MAX_REACTION_PAIRS, MAX_REACTIONS } from '../../../../request-bounds.ts'

/**
 * Function that adds or removes a member's reaction to an entry. Returns 'unchanged', or 'tooMany', or nil and what the record of
 * the change has: the reaction and its count. Member and reaction are JSON, which has no line break. Each search begins with one and ends behind a closing
 * quote, so that it finds no part of another line. Part of the amend script, which has read the fields.
 */
export const react = `
local function react(target, reaction, bucketDigits, member, isOn)
  local field, bucketField = '#' .. target.digits, '@' .. target.digits .. ':' .. bucketDigits
  local old, oldBucket = values[field], values[bucketField]
  local bucket, line = oldBucket or '\\n', member .. ' ' .. reaction .. '\\n'
  local lineStart, lineEnd = string.find(bucket, '\\n' .. line, 1, true)
  if (lineStart ~= nil) == isOn then return 'unchanged' end
  local pairsCount, kinds, bytes, list = 0, 0, 0, '\\n'
  if old then
    pairsCount, kinds, bytes, list = string.match(old, '^(%d+) (%d+) (%d+) (.*)$')
    pairsCount, kinds, bytes = tonumber(pairsCount), tonumber(kinds), tonumber(bytes)
  end
  local start = '\\n[' .. reaction .. ','
  local first, last = string.find(list, start, 1, true)
  if isOn and (pairsCount >= ${MAX_REACTION_PAIRS} or (not first and kinds >= ${MAX_REACTIONS})) then return 'tooMany' end
  local count, rest = 0, ''
  if first then count, rest = string.match(list, '^(%d+)%](\\n.*)$', last + 1) end
  count = count + (isOn and 1 or -1)
  if not first then
    kinds, list = kinds + 1, list .. string.sub(start, 2) .. '1]\\n'
  elseif count > 0 then
    list = string.sub(list, 1, last) .. decimal(count) .. ']' .. rest
  else
    kinds, list = kinds - 1, string.sub(list, 1, first - 1) .. rest
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
  return nil, ',' .. reaction .. ',' .. decimal(count)
end
`
