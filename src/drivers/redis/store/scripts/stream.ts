import { MAX_STREAM_BYTES } from '../../../../request-bounds.ts'
import { STREAM, STREAMING } from './changes.ts'

/**
 * Bounds of the pieces of a text. They are folded into its content when they are many and longer than it, so that a text is written
 * about twice, and anyway when they are very many, so that no read has to join more of them.
 */
const [MANY_PIECES, MAX_PIECES] = [64, 1_024]

/**
 * Functions that make a streamed text grow, and end its stream. They change `target`, the state of the entry, and return 'unchanged',
 * or why the change was rejected, or nil and what the record of the change has. A text that may have the piece already is compared
 * by the node: `append` then returns 'compare' and 1 if the entry is streaming, with the content. Part of the amend script,
 * which has read the fields.
 */
export const stream = `
local function streamOf(target)
  local stream, field = {}, '%' .. target.digits
  stream.length, stream.bytes, stream.folded, stream.pieces, stream.unfolded, stream.renewed = string.match(values[field], '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
  for name, digits in pairs(stream) do stream[name] = tonumber(digits) end
  return stream
end
local function saveStream(target, stream)
  stream.renewed = now
  local numbers = { stream.length, stream.bytes, stream.folded, stream.pieces, stream.unfolded, now }
  for i, number in ipairs(numbers) do numbers[i] = decimal(number) end
  set('%' .. target.digits, table.concat(numbers, ' '))
end
-- Returns the content of an entry with all pieces, and one more.
local function contentOf(target, stream, piece)
  local names = { '$' .. target.digits, unpack(namesOfPieces(target.digits, stream.pieces)) }
  load(names)
  local pieces = {}
  for i = 2, #names do pieces[i - 1] = values[names[i]] end
  pieces[#pieces + 1] = piece
  return withPieces(values[names[1]] or contentIn(target.log), stream.folded, pieces)
end
local function append(target, piece, more)
  local at, points, size = string.match(more, '^(%d+) (%d+) (%d+)$')
  at, points, size = tonumber(at), tonumber(points), tonumber(size)
  if target.progress ~= '${STREAMING}' then
    local content = contentOf(target, { pieces = 0, folded = 0 }, '')
    if string.sub(content, 1, 1) == '[' then return 'ended' end
    return 'compare', '0 ' .. content
  end
  local stream = streamOf(target)
  if at + points > stream.length and at ~= stream.length then return 'length ' .. decimal(stream.length) end
  if at ~= stream.length then return 'compare', '1 ' .. contentOf(target, stream, '') end
  if points == 0 then
    saveStream(target, stream)
    return 'unchanged'
  end
  if stream.bytes + size > ${MAX_STREAM_BYTES} then return 'tooLong' end
  stream.length, stream.bytes, stream.unfolded = at + points, stream.bytes + size, stream.unfolded + #piece
  target.size = decimal(target.size + size)
  local count = stream.pieces + 1
  if count >= ${MAX_PIECES} or (count >= ${MANY_PIECES} and stream.unfolded > stream.folded) then
    local field, content = '$' .. target.digits, contentOf(target, stream, piece)
    for _, name in ipairs(namesOfPieces(target.digits, stream.pieces)) do set(name, false) end
    set(field, content)
    stream.folded, stream.pieces, stream.unfolded = stream.folded + stream.unfolded, 0, 0
    target.charge = ${STREAM} + chargeOfField(field, content)
  else
    local field = '%' .. target.digits .. ':' .. decimal(count)
    set(field, piece)
    stream.pieces, target.charge = count, target.charge + chargeOfField(field, piece)
  end
  saveStream(target, stream)
  return nil, ',' .. decimal(at) .. ',"' .. piece .. '"'
end
-- Returns a function instead of what the record has: it is called with the state afterwards.
local function finish(target, progress, idle)
  if target.progress ~= '${STREAMING}' then return 'unchanged' end
  local stream = streamOf(target)
  if now - stream.renewed < tonumber(idle) then return 'unchanged' end
  local contentField, reactionsField = '$' .. target.digits, '#' .. target.digits
  load({ contentField, reactionsField })
  local content = values[contentField]
  if stream.pieces > 0 then
    content = contentOf(target, stream, '')
    set(contentField, content)
  end
  for _, field in ipairs(fieldsOfStream(target.digits, values['%' .. target.digits])) do set(field, false) end
  target.progress, target.charge = progress, content and chargeOfField(contentField, content) or 0
  return nil, function(found) return ',' .. target.log .. ',' .. stateInJson(found, content, values[reactionsField], '') end
end
`
