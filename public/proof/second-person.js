// A second person on the same page: another client, with a name, a session and a link of its own.
import { createPane } from '../pane.js'
import { createLink } from './link.js'
import { memoryStorage } from './memory-storage.js'

const NAME = 'Bea'

/**
 * Adds a pane beside the others. Returns `{ person, link }`.
 * @param container of the panes
 * @param room that the pane shows
 * @param onInspect called with the person and the position of a message whose frames are to be shown
 */
export function addSecondPerson ({ container, config, room = config.room, onInspect }) {
  const link = createLink()
  const person = createPane({
    container,
    config: { ...config, room },
    connect: link.connect,
    onReconnect: () => link.restore(),
    name: NAME,
    storage: memoryStorage(),
    onInspect: (position) => onInspect(person, position)
  })
  person.element.setAttribute('aria-label', `Chat of ${NAME}`)
  return { person, link }
}
