/**
 * Functions on the content of an entry, which is JSON: the index after its author, what follows it, and a content whose text ends with
 * further pieces. `folded`: bytes of the text in the content. A piece may be false, if it was lost.
 */
export const content = `
local function afterAuthor(content)
  if string.sub(content, 1, 2) == '[0' then return 3 end
  -- The author is an array of two strings, in which quotes are escaped.
  local quotes, at = 0, 3
  while quotes < 4 do
    local found = string.find(content, '["\\\\]', at)
    local isQuote = string.sub(content, found, found) == '"'
    quotes, at = quotes + (isQuote and 1 or 0), found + (isQuote and 1 or 2)
  end
  return at + 1
end
local function contentIn(entryContent) return string.sub(entryContent, afterAuthor(entryContent) + 1, -2) end
local function withPieces(entryContent, folded, pieces)
  for i = 1, #pieces do pieces[i] = pieces[i] or '' end
  return string.sub(entryContent, 1, folded + 1) .. table.concat(pieces) .. string.sub(entryContent, folded + 2)
end
`
