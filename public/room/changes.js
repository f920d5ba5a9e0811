// Changes of messages: reactions, edits and deletions.
import { setText } from '../dom.js'

/**
 * @param find returns the element of a class in the pane
 * @param showError shows an error to the user
 */
export function messageChanges (find, person, showError) {
  const dialog = find('delete-dialog')

  /** Runs a change of the shown room. Resolves with whether it was made. */
  async function change (what, run) {
    try {
      const { room } = person.shown
      if (room === undefined) throw new Error('not connected')
      await run(room)
      return true
    } catch ({ message }) {
      showError(`${what}: ${message}`)
      return false
    }
  }

  return {
    react: ({ position }, reaction, on) =>
      change('The reaction was not saved', (room) => on ? room.react(position, reaction) : room.unreact(position, reaction)),
    edit: ({ position }, text) => change('The message was not changed', (room) => room.edit(position, text)),
    /** Deletes a message after a confirmation. */
    remove ({ position, text }) {
      setText(dialog.querySelector('blockquote'), text ?? 'binary message')
      dialog.returnValue = ''
      dialog.onclose = () => {
        if (dialog.returnValue === 'delete') change('The message was not deleted', (room) => room.delete(position))
        find('field').focus()
      }
      dialog.showModal()
    }
  }
}
