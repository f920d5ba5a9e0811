// A second person on the same page: another client, with a name, a session and a link of its own.
const NAME = 'Bea'

/**
 * Adds a pane beside the others. Returns `{ person, link }`.
 * @param addPerson creates a person with a link @param room that the pane shows
 */
export function addSecondPerson (addPerson, room) {
  const second = addPerson({ name: NAME, storage: memoryStorage() })
  if (room !== undefined) second.person.show(room)
  return second
}

/** Returns a storage of a pane that keeps nothing when the page ends. */
function memoryStorage () {
  const items = new Map()
  return {
    get: (key) => items.get(key),
    set: (key, value) => { items.set(key, value) },
    keep: () => undefined
  }
}
