// The members that are present in the shown room.
import { build, setText } from '../dom.js'

const FILTER_FROM = 20

export function peopleColumn ({ list, heading, filter }, person, names) {
  let shown, count, filtered

  function draw () {
    const { room } = person.shown ?? {}
    list.classList.toggle('stale', person.status.state !== 'online' || room?.stale === true)
    if (room === undefined || (room.members === shown && room.count === count && filter.value === filtered)) return
    shown = room.members
    count = room.count
    filtered = filter.value
    setText(heading, `${count} here`)
    filter.hidden = room.members.size <= FILTER_FROM && filter.value === ''
    const ownId = person.client?.member?.id
    // Before the first tag is made: a later member may have the same name.
    for (const member of shown.values()) names.see(member)
    const found = [...shown.values()].map((member) => ({ member, label: names.label(member), isSelf: member.id === ownId }))
      .filter(({ label }) => label.toLowerCase().includes(filtered.toLowerCase()))
      .sort((one, other) => other.isSelf - one.isSelf || one.label.localeCompare(other.label))
    const items = found.map(({ member, isSelf }) => entry(member, isSelf))
    if (count > shown.size) items.push(build('li', { className: 'more' }, `and ${count - shown.size} more`))
    list.replaceChildren(...items)
  }

  function entry (member, isSelf) {
    return build('li', {}, names.face(member), names.tag(member), ...isSelf ? [build('small', {}, ' (you)')] : [])
  }

  filter.addEventListener('input', draw)
  return draw
}
