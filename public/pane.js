// A pane: a person with a header, the messages of a room, and the field. A page may have several panes.
import { indexedDBPosts } from './lib/client.js'
import { addressedRoom } from './room/address.js'
import { announcer } from './room/announcer.js'
import { messageChanges } from './room/changes.js'
import { composer } from './room/composer.js'
import { failedPosts } from './room/failed-posts.js'
import { listeners } from './room/listeners.js'
import { messageMenu } from './room/menu.js'
import { messageList } from './room/message-list.js'
import { nameField } from './room/name-field.js'
import { nameTags } from './room/names.js'
import { nextFrame } from './room/next-frame.js'
import { paneElement } from './room/pane-element.js'
import { createPerson, TOO_MANY_ROOMS } from './room/person.js'
import { presenceLine } from './room/presence-line.js'
import { refuseFiles } from './room/refuse-files.js'
import { startSide } from './room/side.js'
import { statusView } from './room/status-view.js'
import { personStorage } from './room/storage.js'
import { typingLine } from './room/typing.js'
import { setText } from './dom.js'

/**
 * Creates a pane with a person of its own. The first pane of the page has the columns of rooms and people, and the address.
 * @param container gets the pane
 * @param config of the server: `chat` is the URL of the chat route
 * @param connect opens the sockets of the client
 * @param name of the person; default: the one that was kept
 * @param storage like `localStorage`, for what the person keeps; default: the storages of the browser
 * @param onReconnect called before the person connects again by the button of the status
 * @param onInspect called with the position of a message whose frames are to be shown
 */
export function createPane ({ container, config, connect, name, storage, onReconnect, onInspect }) {
  const { element, isFirst } = paneElement(container)
  const find = (className) => element.querySelector(`.${className}`)
  const room = isFirst ? addressedRoom(config.room) : config.room
  const key = `fastify-chat ${new URL(config.chat).pathname}`
  const savedPosts = indexedDBPosts({ name: key })
  const person = createPerson({ url: config.chat, connect, name, room: config.room, savedPosts, storage: personStorage(key, storage) })
  const names = nameTags()
  const roomChanged = listeners()
  let shown, shownRoom

  const status = statusView(find, person, onReconnect)
  const changes = messageChanges(find, person, status.showError)
  const menu = messageMenu(find('menu'), {
    react: changes.react,
    remove: changes.remove,
    edit: (item) => field.startEditing(item),
    ...onInspect && { inspect: ({ position }) => onInspect(position) }
  })
  const list = messageList(find, person, names, {
    react: changes.react,
    openMenu: menu.open,
    openMenuOf: (row) => row.querySelector('.more:not([hidden])')?.click()
  }, status.showError)
  const nameInput = nameField(find, person)
  const field = composer(find, person, config.payload ?? Infinity, { post, edit: changes.edit, showNewest: list.follow })
  const failed = failedPosts(find('failed'), person, { send: post, write: field.add, focusField: () => find('field').focus() })
  const showTyping = typingLine(find('typing'), names)
  const presence = presenceLine(find('presence'), names)
  const announce = announcer(find('announcer'), names)

  /** Returns whether the text was accepted for sending. */
  function post (text) {
    if (!nameInput.accept()) return false
    const problem = person.status.state === 'closed' ? 'Not sent: you are disconnected.' : person.shown.post(text)
    status.showError(problem)
    if (problem === '') list.follow()
    return problem === ''
  }

  function draw () {
    status.draw()
    nameInput.draw()
    failed.draw()
    showTyping(person.shown.snapshot.typing)
    setText(find('title'), person.shown.name)
    if (person.shown !== shown) {
      shown = person.shown
      field.showRoom()
      presence.clear()
      status.showError('')
    }
    if (person.shown.room === shownRoom) return
    shownRoom = person.shown.room
    roomChanged.call(shownRoom)
  }

  function showTooMany () {
    // A change of room removes the error of the former one.
    draw()
    status.showError(TOO_MANY_ROOMS)
  }

  refuseFiles(element, () => status.showError('The chat accepts only text. The Echo tab of the inspector accepts files.'))
  person.changed(nextFrame(draw))
  person.received((conversation, message, own) => { if (conversation === person.shown && !own) announce(message) })
  person.presence((conversation, changes) => { if (conversation === person.shown) presence.add(changes) })
  person.resumed((conversation, missed, complete) => { if (conversation === person.shown) status.showResumed(missed, complete) })
  const hasRoom = person.start(room)
  draw()
  if (!hasRoom) showTooMany()
  if (isFirst) startSide(person, names, { defaultRoom: config.room, field: find('field'), onTooMany: showTooMany })

  return {
    element,
    get client () { return person.client },
    get room () { return person.shown.room },
    /** Adds a listener that is called with the shown room, or undefined, when it is another one. Returns an unsubscribe function. */
    roomChanged: roomChanged.add,
    highlight: list.highlight,
    show: person.show,
    close () {
      person.close()
      element.remove()
    }
  }
}
