// The number of unread messages in the title of the page, and notifications if the user wants them.
import { textOf } from './text.js'

/** Returns a function that shows the room and the unread messages of all rooms in the title. */
export function pageTitle (person) {
  return function draw () {
    let unread = 0
    for (const conversation of person.conversations.values()) unread += conversation.unread
    const title = `${unread > 0 ? `(${unread}) ` : ''}${person.shown?.name ?? ''} · fastify-chat`
    if (document.title !== title) document.title = title
  }
}

/** Notifies the user of messages that arrive while the page is hidden. @param button switches it on and off */
export function notifications (button, person, names) {
  const { Notification } = window
  if (Notification === undefined || Notification.permission === 'denied') return
  let isOn = person.storage.get('notify') === true && Notification.permission === 'granted'
  const draw = () => { button.ariaPressed = String(isOn) }

  button.hidden = false
  button.onclick = async () => {
    isOn = !isOn && await Notification.requestPermission() === 'granted'
    person.storage.set('notify', isOn)
    draw()
  }
  draw()

  person.received((conversation, message, own) => {
    if (!isOn || own || document.visibilityState === 'visible') return
    const title = `${names.label(message.from)} in ${conversation.name}`
    try {
      // One notification for each room: a later message replaces it.
      const notification = new Notification(title, { body: textOf(message).slice(0, 200), tag: `fastify-chat ${conversation.name}` })
      notification.onclick = () => {
        window.focus()
        person.show(conversation.name)
      }
    } catch {
      // Browsers of phones allow notifications only to a service worker.
      isOn = false
      button.hidden = true
    }
  })
}
