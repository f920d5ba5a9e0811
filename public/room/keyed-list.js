/**
 * Returns a function that shows lines as the children of a list. An element stays the same as long as its key is shown.
 * @param create returns `{ element, update (line) }` for a line; `update` is called with each later state
 */
export function keyedList (list, create) {
  let shown = new Map()

  return function show (lines) {
    const next = new Map()
    for (const line of lines) {
      const entry = shown.get(line.key) ?? create(line)
      shown.delete(line.key)
      next.set(line.key, entry)
      entry.update(line)
    }
    for (const { element } of shown.values()) element.remove()
    let place = list.firstElementChild
    for (const { element } of next.values()) {
      if (element === place) place = place.nextElementSibling
      else list.insertBefore(element, place)
    }
    shown = next
  }
}
