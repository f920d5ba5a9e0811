// The user's name: asked once, changed by a click, used from the next message on.
import { checkName } from '../lib/client.js'
import { setText } from '../dom.js'

/** @param find returns the element of a class in the pane */
export function nameField (find, person) {
  const [button, input] = ['name-button', 'name-input'].map(find)
  let editing = !person.isNamed

  function draw () {
    const name = person.client?.member?.name || person.name
    // The app has named the member.
    if (editing && person.name === '' && name !== '' && input.value === '' && document.activeElement !== input) editing = false
    setText(button, name || 'Guest')
    button.ariaLabel = `Your name: ${name || 'Guest'}. Change it`
    button.hidden = editing
    input.hidden = !editing
  }

  /** Uses the typed name. Returns whether it is valid. @param report whether to show the rule that it breaks */
  function accept (report = true) {
    if (!editing) return true
    const name = input.value.trim()
    const checked = name === '' ? { name } : checkName(name)
    input.setCustomValidity(checked.problem === undefined ? '' : `The name ${checked.problem}`)
    if (!(report ? input.reportValidity() : input.checkValidity())) return false
    // A newcomer without a name is asked until the first message.
    person.rename(checked.name)
    editing = false
    draw()
    return true
  }

  button.onclick = () => {
    editing = true
    input.value = person.name
    draw()
    input.focus()
    input.select()
  }
  input.addEventListener('input', () => input.setCustomValidity(''))
  input.addEventListener('keydown', (event) => {
    if (event.isComposing) return
    if (event.key === 'Escape') {
      input.value = person.name
      input.setCustomValidity('')
    } else if (event.key !== 'Enter') return
    event.preventDefault()
    if (accept()) find('field').focus()
  })
  input.addEventListener('change', () => { if (input.value.trim() !== '') accept(false) })
  draw()
  return { draw, accept }
}
