/** Function that returns the index after the author in the content of an entry, which is JSON. */
export const afterAuthor = `
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
`
