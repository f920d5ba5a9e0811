// Names of members. A colour distinguishes members with the same name. Members that share a name, or have none, also have a
// mark: a short hash of the id.
import { textElement } from './dom.js'

const MAX_NAMES = 2_000
const SEVERAL = Symbol('several people')

/** @param root the element that contains the names */
export function nameTags (root) {
  /** By name: the id of the only member with that name, or SEVERAL. */
  const holders = new Map()

  /** Adds a mark to the tags of a name when a second member has it. */
  function see ({ id, name }) {
    const key = keyOf(name)
    const holder = holders.get(key)
    if (holder === undefined) {
      if (holders.size >= MAX_NAMES) holders.delete(holders.keys().next().value)
      holders.set(key, id)
    } else if (holder !== id && holder !== SEVERAL) {
      holders.set(key, SEVERAL)
      for (const element of root.querySelectorAll('.name')) if (element.dataset.name === key) addMark(element)
    }
  }

  const needsMark = (name) => name === '' || holders.get(keyOf(name)) === SEVERAL

  /** Returns the name as text: `Ada`, or `Ada #0k3f` if several members have that name. */
  function label (member) {
    see(member)
    return needsMark(member.name) ? `${shown(member.name)} ${markOf(member.id)}` : member.name
  }

  /** Returns the name as an element. Its mark is added when another member with that name appears. */
  function tag (member) {
    see(member)
    const element = textElement('span', 'name', '')
    element.dataset.name = keyOf(member.name)
    element.dataset.mark = markOf(member.id)
    element.style.setProperty('--hue', hashOf(member.id) % 360)
    element.append(textElement('bdi', '', shown(member.name)))
    if (needsMark(member.name)) addMark(element)
    return element
  }

  return { label, see, tag }
}

function addMark (element) {
  if (!element.querySelector('.mark')) element.append(textElement('span', 'mark', ` ${element.dataset.mark}`))
}

function shown (name) { return name === '' ? 'Guest' : name }

/** Returns the name in lower case and without invisible joiners, so that names that look the same have the same key. */
function keyOf (name) { return shown(name).toLowerCase().replace(/\p{Default_Ignorable_Code_Point}/gu, '') }

function markOf (id) {
  return `#${(Math.floor(hashOf(id) / 360) % 36 ** 4).toString(36).padStart(4, '0')}`
}

/** Returns the FNV-1a hash of the whole id, because ids have any form, and several may have the same ending. */
function hashOf (id) {
  let hash = 0x811c9dc5
  for (const character of id) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193) >>> 0
  return hash
}
