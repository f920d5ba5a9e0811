// Tabs: arrow keys, Home and End move the focus, Enter and Space open a tab.
// If the focus opened a tab, moving past the echo tab would connect it.
import { build, button } from '../dom.js'

/**
 * Returns the list of tabs, and a function that opens one by its id.
 * @param tabs array of `{ id, label, panel }`
 * @param onOpen called with the id of each tab that is opened
 */
export function tabList ({ label, tabs, onOpen }) {
  const buttons = new Map(tabs.map(({ id, label, panel }) => [id, button(label, () => open(id), {
    id: `tab-${id}`, role: 'tab', 'aria-controls': panel.id, 'aria-selected': 'false', tabIndex: -1
  })]))
  const element = build('div', { role: 'tablist', 'aria-label': label, onkeydown: move }, ...buttons.values())
  for (const { id, panel } of tabs) {
    panel.role = 'tabpanel'
    panel.setAttribute('aria-labelledby', `tab-${id}`)
    panel.hidden = true
  }

  function open (opened) {
    for (const { id, panel } of tabs) {
      panel.hidden = id !== opened
      buttons.get(id).setAttribute('aria-selected', id === opened)
      buttons.get(id).tabIndex = id === opened ? 0 : -1
    }
    onOpen(opened)
  }

  function move (event) {
    const all = [...buttons.values()]
    const index = all.indexOf(document.activeElement)
    const next = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: -1 }[event.key]
    if (next === undefined || index < 0) return
    event.preventDefault()
    all.at(next % all.length).focus()
  }

  return { element, open, focus: (id) => buttons.get(id).focus() }
}
