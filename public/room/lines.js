// The lines of a message list: messages, days, and the place where the unread messages begin.
const GROUP_WITHIN = 5 * 60_000

/** The time of each item, in ms and as a day. Items are never changed. */
const times = new WeakMap()

/**
 * Returns the lines, each with a key.
 * @param items of a timeline
 * @param unreadAfter position of the last message that was read; undefined: no line
 * @param hasOlder whether there are messages before the items
 */
export function linesOf (items, unreadAfter, hasOlder) {
  const lines = []
  const firstUnread = firstUnreadOf(items, unreadAfter, hasOlder)
  let above, day
  for (const item of items) {
    const time = timeOf(item)
    if (time.day !== day) lines.push({ key: `day ${item.key}`, kind: 'day', at: item.at })
    if (item === firstUnread) lines.push({ key: 'unread', kind: 'unread' })
    const continued = above !== undefined && item !== firstUnread && time.day === day && authorOf(above) === authorOf(item) &&
      time.ms - timeOf(above).ms < GROUP_WITHIN
    lines.push({ key: item.key, kind: 'message', item, continued })
    above = item
    day = time.day
  }
  return lines
}

function firstUnreadOf (items, unreadAfter, hasOlder) {
  if (unreadAfter === undefined) return undefined
  const read = items.findLastIndex(({ position }) => position === unreadAfter)
  // Without older messages, all of them came after it.
  return read < 0 && hasOlder ? undefined : items.slice(read + 1).find(({ own, state }) => state === 'stored' && !own)
}

function timeOf (item) {
  let time = times.get(item)
  if (time === undefined) {
    const date = new Date(item.at)
    times.set(item, time = { ms: date.getTime(), day: date.toDateString() })
  }
  return time
}

/** Own posts that are not stored yet have no id of the member, if it is not known yet. */
function authorOf ({ own, from }) { return own ? 'own' : from?.id ?? '' }
