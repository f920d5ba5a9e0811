/** ms after which the content of a deleted entry should have been removed from the stream. */
const OVERDUE = 2_000

/** Function that returns 1 if the content of deleted entries is overdue. */
export const isOverdue = `
local function isOverdue(now, deleted, deletedAt) return deleted > 0 and now - deletedAt > ${OVERDUE} and 1 or 0 end
`

/** Function that returns the number and the time of the newest change, and 1 if the content of deleted entries is overdue. */
export const newestChange = `${isOverdue}
local function newestChange()
  if not changes then return '0', decimal(state.beginning), 0 end
  return decimal(changes.number), decimal(changes.at), isOverdue(now, changes.deleted, changes.deletedAt)
end
`
