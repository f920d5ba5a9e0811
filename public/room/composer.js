// The field for messages. It grows with its text, and keeps a draft for each room.
import { drafts } from './drafts.js'
import { sizeCheck } from './size-check.js'
import { typingSignal } from './typing.js'

/**
 * @param post posts a text; returns whether it was accepted
 * @param edit changes the text of an item; resolves with whether it was changed
 * @param showNewest shows the newest message
 */
export function composer (find, person, payload, { post, edit, showNewest }) {
  const [field, form, send, editing] = ['field', 'composer', 'send', 'editing'].map(find)
  const draft = drafts(field, person)
  const fits = sizeCheck(field, find('size'), payload)
  /** The message that is edited. */
  let edited
  typingSignal(field, () => edited === undefined ? person.shown?.room : undefined)

  function update () {
    if (!window.CSS.supports('field-sizing', 'content')) {
      field.style.height = 'auto'
      field.style.height = `${field.scrollHeight + 2}px`
    }
    send.disabled = !fits() || field.value.trim() === ''
  }

  async function submit () {
    const text = field.value.trimEnd()
    if (send.disabled) return
    if (edited !== undefined) {
      const item = edited
      stopEditing()
      if (text !== item.text && !await edit(item, text)) startEditing(item, text)
    } else if (post(text)) setValue('')
    field.focus()
  }

  function setValue (text) {
    field.value = text
    if (edited === undefined) draft.save()
    update()
  }

  function startEditing (item, text = item.text) {
    if (edited === undefined) draft.save()
    edited = item
    editing.hidden = false
    setValue(text)
    field.focus()
    field.setSelectionRange(text.length, text.length)
  }

  function stopEditing () {
    if (edited === undefined) return
    edited = undefined
    editing.hidden = true
    draft.restore()
    update()
  }

  field.addEventListener('input', () => {
    if (edited === undefined) draft.saveSoon()
    update()
  })
  field.addEventListener('keydown', (event) => {
    if (event.isComposing) return
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault()
      submit()
    } else if (event.key === 'Escape') {
      // The browser closes a menu or a sheet after this event.
      if (document.querySelector(':popover-open') !== null) return
      if (edited !== undefined) stopEditing()
      else showNewest()
    } else if (event.key === 'ArrowUp' && field.value === '' && edited === undefined) {
      const last = person.shown?.items.findLast(({ own, state, text, deleted }) => own && state === 'stored' && text !== undefined && !deleted)
      if (last === undefined) return
      event.preventDefault()
      startEditing(last)
    }
  })
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    submit()
  })
  find('cancel-edit').onclick = () => {
    stopEditing()
    field.focus()
  }

  return {
    startEditing,
    /** Called when another room is shown. */
    showRoom () {
      stopEditing()
      draft.showRoom()
      update()
      if ('submitted' in form.dataset) submit()
      delete form.dataset.submitted
      form.dataset.ready = ''
    },
    /** Adds a text to the field, for the user to change. */
    add (text) {
      stopEditing()
      setValue(field.value === '' ? text : `${field.value}\n${text}`)
      field.focus()
    }
  }
}
