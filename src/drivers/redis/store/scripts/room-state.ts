/*
 * Keys of a room, all in one slot.
 * room, a hash: the state, and under `=<key>` the offset, time and hash of the post with each remembered key. Changes of entries are
 * fields of it too, see changes.ts: a stream can't be changed, and Redis could evict a separate key alone.
 * log, a stream: entries, as `<time>-<offset>`, with content (e) and size (s). order, a list: remembered keys, oldest first.
 *
 * A room is charged the memory that Redis 7 uses for it, or slightly more (measured; a test compares). Allocations of more
 * than 1 KiB are rounded up by up to a quarter, a stream allocates 4 KiB with its first entry, and a room has an entry in
 * the chat's index. The name of a room is in three keys, and twice in the index.
 *
 * Scripts aren't rolled back. Redis rejects the first write of a script (out of memory, a replica, no disk) or none;
 * without a `#!lua` line it does so since 6.2. So the first write must take memory: if it succeeds, all writes do.
 * A script without a reply ran completely or not at all. A rejected PUBLISH doesn't fail a script: followers find the
 * stored entries by a poll.
 */

/** Names of the numbers in the field `changes`, in order. */
export const changeFields =
  "{ 'number', 'at', 'base', 'baseAt', 'idle', 'entries', 'edited', 'reacted', 'listed', 'trimmed', 'swept', 'deleted', 'deletedAt' }"

/** Function that returns whether a room is lost, from what its hash has. */
export const isLost = `
local function isLost(log, order, epoch, offset, first, keys, keyBytes)
  return not epoch or not keyBytes or redis.call('XLEN', log) ~= offset - first + 1 or redis.call('LLEN', order) ~= keys
end
`

/**
 * Reads the state of a room. A room is lost if it was evicted, flushed, deleted or modified, even in part. It then begins a
 * new epoch, which shows the loss to followers and clients. `changes`: nil if no entry of the room ever changed.
 * - number, at: of the newest change. base, baseAt: of the last forgotten one. idle: keys of edits without an effect since the newest.
 * - entries: with a state. edited, reacted, listed: charges of contents, of reactions, and of the rest.
 * - trimmed: the highest number of an entry that was removed. swept: the entries before this offset have no state.
 * - deleted: entries whose content is still in the stream, since the time deletedAt.
 *
 * `control`: `<number>-<time>` of the newest control; nil if the room never had one. Versions without controls write the numbers of
 * `changes` again without what they don't know, so it has a field of its own.
 */
export const readState = `${isLost}local room, log, order = KEYS[1], KEYS[2], KEYS[3]
local state = {}
local fields = { 'epoch', 'beginning', 'at', 'offset', 'first', 'bytes', 'keys', 'keyBytes', 'forgotten', 'renewed' }
-- Short: each append writes all of them to the append-only file.
local stored = { 'tag', 'born', 'at', 'n', 'first', 'bytes', 'keys', 'keyBytes', 'forgotten', 'renewed', 'changes', 'control' }
local found = redis.call('HMGET', room, unpack(stored))
for i, field in ipairs(fields) do state[field] = i == 1 and found[1] or tonumber(found[i]) end
local control = found[12] or nil
local changes, changeFields
if found[11] then
  changes, changeFields = {}, ${changeFields}
  local i = 0
  for digits in string.gmatch(found[11], '%d+') do
    i = i + 1
    changes[changeFields[i]] = tonumber(digits)
  end
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function chargeOfEntry(content) return #content + 48 + (#content > 1024 and math.floor(#content / 4) or 0) end
local function chargeOfKey(key, post) return 2 * #key + #post + 160 end
local function charge()
  local changed = changes and changes.edited + changes.reacted + changes.listed or 0
  return 1792 + 5 * #room + state.keyBytes + (state.offset == 0 and 0 or math.max(4096, state.bytes)) + changed
end
local format = string.format
local function decimal(number) return format('%.0f', number) end
local function save()
  local values = {}
  for i, field in ipairs(fields) do
    values[2 * i - 1] = stored[i]
    values[2 * i] = i == 1 and state.epoch or decimal(state[field])
  end
  redis.call('HSET', room, unpack(values))
end
local function expireIn(ttl)
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ttl) end
end
local lost = isLost(log, order, state.epoch, state.offset, state.first, state.keys, state.keyBytes)
local function begin(epoch, ttl)
  local beginning = math.max(now, state.at or 0)
  state = { epoch = epoch, beginning = beginning, at = beginning, offset = 0, first = 1, bytes = 0, keys = 0, keyBytes = 0, forgotten = 0, renewed = now }
  changes, control = nil, nil
  if ttl == '' then return end
  save()
  redis.call('DEL', room, log, order)
  save()
  expireIn(ttl)
end
`

/**
 * Removes nothing, for scripts that free memory. While Redis is out of memory it allows this write, and then all later ones of the
 * script. Where it rejects writes for another reason, it rejects this one before there are others.
 */
export const allowWrites = "redis.call('HDEL', room, '')"

/**
 * Reads the state of a room. Begins an epoch if the room is new or lost. ARGV: new epoch; ms an empty room is kept, or '' to write
 * nothing of the epoch.
 */
export const readOrBegin = `${readState}
if lost then begin(ARGV[1], ARGV[2]) end
`
