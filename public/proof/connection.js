// The tab "Connection": a section for each person on this page.
import { build, button } from '../dom.js'
import { personSection } from './person-section.js'

/**
 * Fills the tab.
 * @param people array of `{ person, link }`
 * @param second `add ()` and `remove ()`: adds a second person to the page, and removes it
 */
export function connectionTab ({ panel, config, people, second }) {
  const sections = []
  const addButton = button('', toggleSecond)
  const footer = build('div', { className: 'buttons' }, addButton,
    build('a', { href: '', target: '_blank', rel: 'noopener' }, 'Open a second window'))
  panel.append(
    build('ol', { className: 'steps' },
      build('li', {}, 'Disconnect.'),
      build('li', {}, 'Send bot messages, and write a message yourself.'),
      build('li', {}, 'Reconnect: nothing is lost, and nothing is stored twice.')),
    footer)

  async function toggleSecond () {
    if (addButton.getAttribute('aria-disabled') === 'true') return
    addButton.setAttribute('aria-disabled', 'true')
    await (sections.length === 1 ? second.add() : second.remove())
    addButton.setAttribute('aria-disabled', 'false')
  }

  /** Passes on what somebody else has received, because the person itself can't know it. */
  function onReceived (message, from) {
    for (const section of sections) if (section.person !== from) section.addSeenElsewhere(message)
  }

  function add ({ person, link }) {
    const section = personSection({ person, link, config, onReceived })
    sections.push(section)
    footer.before(section.element)
    drawButton()
  }

  function remove ({ person }) {
    const [section] = sections.splice(sections.findIndex((each) => each.person === person), 1)
    section.element.remove()
    section.close()
    drawButton()
  }

  function drawButton () {
    addButton.textContent = sections.length === 1 ? 'Add a second person here' : 'Remove the second person'
  }

  for (const each of people) add(each)
  return { add, remove }
}
