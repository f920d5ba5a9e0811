import { STATE, STREAM, STREAMING } from './changes.ts'

/**
 * Function that begins the stream of an entry that was just stored, in a room with changes. A version without streams doesn't remove
 * the fields of a streaming entry that it removes: the next beginning does. Follows `changeFunctions`.
 */
export const beginStream = `
local function beginStream(offset, at, size, streamed)
  local digits, streaming, others, names = decimal(offset), {}, {}, {}
  for other in string.gmatch(redis.call('HGET', room, 'streams') or '', '%d+') do
    others[#others + 1], names[#names + 1] = other, '%' .. other
  end
  for i = 1, #names, 1000 do
    for j, stream in ipairs(redis.call('HMGET', room, unpack(names, i, math.min(i + 999, #names)))) do
      local other = others[i + j - 1]
      if stream and tonumber(other) < state.first then
        redis.call('HDEL', room, unpack(fieldsOfStream(other, stream)))
      elseif stream then
        streaming[#streaming + 1] = other
      end
    end
  end
  streaming[#streaming + 1] = digits
  changes.entries, changes.listed, changes.edited = changes.entries + 1, changes.listed + ${STATE}, changes.edited + ${STREAM}
  redis.call('HSET', room, 'changes', packedChanges(), 'streams', table.concat(streaming, ' '), '%' .. digits, streamed .. ' 0 0 ' .. decimal(now),
    '~' .. digits, '0,0,0,0,' .. at .. ',' .. size .. '${STREAMING},${STREAM}')
end
`
