// How far a person has read a room. Members without an account have a read position only while they are connected. The page
// therefore keeps it for later visits.
const SAVE_AFTER = 500

/** @param key of the kept position */
export function readMark (storage, key) {
  let position = storage.get(key)
  let unread = 0
  /** Position of the last message above the unread line; undefined: no line. */
  let line
  /** Number of messages below the line that were not read when they arrived. */
  let belowLine = 0
  let timer

  function save () {
    clearTimeout(timer)
    timer = undefined
    if (position !== undefined) storage.set(key, position)
  }
  // Saves only a position that this page has moved: another tab may have read more of the room since.
  window.addEventListener('pagehide', () => { if (timer !== undefined) save() })

  function keepLine () {
    line = position
    belowLine = unread
  }

  return {
    /** Called with the first messages of the room. */
    start (room, items) {
      if (room?.readPosition !== undefined) position = room.readPosition
      if (position === undefined) return
      const stored = items.filter(({ state }) => state === 'stored')
      if (stored.length > 0) room?.markRead(position)
      const last = stored.findIndex((item) => item.position === position)
      unread = stored.slice(last + 1).filter(({ own }) => !own).length
      if (unread > 0) keepLine()
    },
    count (messages) {
      unread += messages
      belowLine += messages
    },
    clear () { unread = 0 },
    /** @param hasMessages whether the room has any: the server refuses the position of an empty one */
    move (room, hasMessages) {
      unread = 0
      if (room.position === undefined || room.position === position) return
      position = room.position
      if (hasMessages) room.markRead(position)
      timer ??= setTimeout(save, SAVE_AFTER)
    },
    keepLine,
    dropLine () { line = undefined },
    save,
    get unread () { return unread },
    get line () { return line },
    get belowLine () { return belowLine }
  }
}
