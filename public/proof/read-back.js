// Reads from the server which messages a room has, to compare them with those that have arrived.

const PAGE = 50
const MAX_PAGES = 4

/**
 * Resolves with the messages after a position, up to and including `last`; with undefined if there are too many, or if they can't be read
 * now. A page ends before a position, so all of them are read but the last.
 */
export async function readSince (room, start, last) {
  if (last === undefined) return []
  let messages = [last]
  try {
    for (let page = 0; page < MAX_PAGES; page++) {
      const { messages: older, more } = await room.history(messages[0].position, PAGE)
      const index = older.findLastIndex(({ position }) => position === start)
      messages = [...older.slice(index + 1), ...messages]
      if (index >= 0 || !more) return messages
    }
  } catch {
    // The connection was lost, or the room was left.
  }
  return undefined
}
