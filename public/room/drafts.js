// A text that is not sent yet, for each room. It survives a reload and a change of room.
const SAVE_AFTER = 300

export function drafts (field, person) {
  let room, timer
  const keyOf = () => `draft ${room}`

  function save () {
    clearTimeout(timer)
    timer = undefined
    if (room !== undefined) person.storage.set(keyOf(), field.value === '' ? undefined : field.value)
  }

  // The draft is saved already when a message is edited.
  window.addEventListener('pagehide', () => { if (timer !== undefined) save() })

  return {
    save,
    saveSoon () { timer ??= setTimeout(save, SAVE_AFTER) },
    restore () { field.value = person.storage.get(keyOf()) ?? '' },
    /** Called when another room is shown. Keeps what was typed before the page was ready. */
    showRoom () {
      const typed = room === undefined ? field.value : ''
      if (timer !== undefined) save()
      room = person.shown.name
      field.value = (person.storage.get(keyOf()) ?? '') + typed
      if (typed !== '') save()
    }
  }
}
