// The column beside the first pane: its rooms and the people in the shown one. On phones it is a sheet.
import { byId, setText } from '../dom.js'
import { followAddress, roomAddress } from './address.js'
import { copyText } from './copy.js'
import { nextFrame } from './next-frame.js'
import { notifications, pageTitle } from './notifications.js'
import { peopleColumn } from './people.js'
import { roomsColumn } from './rooms.js'

/**
 * @param field gets the focus when a room is chosen
 * @param onTooMany called when the address has a room that can't be opened, because too many are
 */
export function startSide (person, names, { defaultRoom, field, onTooMany }) {
  const side = byId('side')
  const drawRooms = roomsColumn({ list: byId('rooms'), form: byId('add-room') }, person, () => {
    if (side.matches(':popover-open')) side.hidePopover()
    field.focus()
  })
  const drawPeople = peopleColumn({ list: byId('people'), heading: byId('people-title'), filter: byId('people-filter') }, person, names)
  const drawTitle = pageTitle(person)
  for (const button of document.querySelectorAll('.copy-link')) button.onclick = () => copyLink(button, person.shown.name)
  followAddress(person, defaultRoom, onTooMany)
  notifications(byId('notify'), person, names)
  person.changed(nextFrame(() => {
    drawRooms()
    drawPeople()
    drawTitle()
  }))
}

async function copyLink (button, room) {
  setText(button, await copyText(roomAddress(room)) ? 'Copied' : 'Not copied')
  setTimeout(setText, 2_000, button, 'Copy link')
}
