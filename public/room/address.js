// The room in the address of the page: `?room=tea`. The browser's Back returns to the room before.

/** Returns the room of the address; `#tea` too, which people type. */
export function addressedRoom (defaultRoom) {
  const { search, hash } = window.location
  return new URLSearchParams(search).get('room') || new URLSearchParams(hash.replace('#', 'room=')).get('room') || defaultRoom
}

/** Returns the address of a room, for others too: it has no name of a person. */
export function roomAddress (room) {
  return new URL(`?${new URLSearchParams({ room })}`, window.location.href).href
}

/** Keeps the address and the shown room the same. @param onTooMany called when the room of the address can't be opened */
export function followAddress (person, defaultRoom, onTooMany) {
  let last = person.shown.name
  const restore = () => window.history.replaceState(null, '', roomAddress(last))
  if (last !== addressedRoom(defaultRoom)) restore()
  window.addEventListener('popstate', () => {
    if (person.show(addressedRoom(defaultRoom))) return
    restore()
    onTooMany()
  })

  person.changed(() => {
    const { name } = person.shown
    if (name !== last && name !== addressedRoom(defaultRoom)) window.history.pushState(null, '', roomAddress(name))
    last = name
  })
}
