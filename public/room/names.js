// Names of members. Each member has a colour. Members that share a name, or have none, also have a mark: a short hash of the id.
import { build } from '../dom.js'

const MAX_NAMES = 2_000
const COLOURS = 12
const MAX_LISTED = 3
const SEVERAL = Symbol('several people')
const segmenter = window.Intl.Segmenter && new window.Intl.Segmenter()

/** Creates the names that one person sees. */
export function nameTags () {
  /** By name: the id of the only member with that name, or SEVERAL. */
  const holders = new Map()
  /** By id: the number of the member's colour. */
  const colours = new Map()

  /** Shows the marks of a name when a second member has it. */
  function see ({ id, name }) {
    const key = keyOf(name)
    const holder = holders.get(key)
    if (holder === undefined) keepBounded(holders, key, id)
    else if (holder !== id && holder !== SEVERAL) {
      holders.set(key, SEVERAL)
      // In a microtask, because tags that were just created are not in the document yet.
      queueMicrotask(() => { for (const element of document.querySelectorAll('.name')) if (element.dataset.name === key) showMark(element) })
    }
  }

  const needsMark = (name) => name === '' || holders.get(keyOf(name)) === SEVERAL

  /** Returns the name of a sender as text: `Ada`, or `Ada #0k3f` if several members have that name. null is the server. */
  function label (member) {
    if (member === null) return 'Server'
    see(member)
    return needsMark(member.name) ? `${shownName(member.name)} ${markOf(member.id)}` : member.name
  }

  /** Returns the names of some members as text: `Ada`, `Ada and Bob`, or `Ada, Bob and 3 others`. */
  function list (members) {
    const shown = members.slice(0, members.length > MAX_LISTED ? MAX_LISTED - 1 : MAX_LISTED).map(label)
    const last = members.length > MAX_LISTED ? `${members.length - shown.length} others` : shown.pop()
    return shown.length === 0 ? last : `${shown.join(', ')} and ${last}`
  }

  /** Returns the name as an element. Its mark is shown when another member with that name appears. */
  function tag (member) {
    see(member)
    const element = build('span', { className: 'name' }, build('bdi', {}, shownName(member.name)))
    element.dataset.name = keyOf(member.name)
    element.dataset.colour = colourOf(member.id)
    element.dataset.mark = markOf(member.id)
    if (needsMark(member.name)) showMark(element)
    return element
  }

  /** Returns a disc with the first letter of the name. */
  function face (member) {
    return build('span', { className: 'face', 'data-colour': colourOf(member.id), 'aria-hidden': 'true' }, initialOf(shownName(member.name)))
  }

  /** Returns a colour that no other member has, as long as there are any. */
  function colourOf (id) {
    let colour = colours.get(id)
    if (colour !== undefined) return colour
    colour = hashOf(id) % COLOURS
    const taken = new Set(colours.values())
    for (let i = 0; i < COLOURS && taken.has(colour); i++) colour = (colour + 1) % COLOURS
    keepBounded(colours, id, colour)
    return colour
  }

  return { label, list, see, tag, face }
}

function keepBounded (map, key, value) {
  if (map.size >= MAX_NAMES) map.delete(map.keys().next().value)
  map.set(key, value)
}

function showMark (element) {
  if (!element.querySelector('.mark')) element.append(build('span', { className: 'mark' }, element.dataset.mark))
}

function shownName (name) { return name === '' ? 'Guest' : name }

function initialOf (name) {
  return (segmenter ? segmenter.segment(name)[Symbol.iterator]().next().value.segment : [...name][0]).toUpperCase()
}

/** Returns the name in lower case and without invisible joiners, so that names that look the same have the same key. */
function keyOf (name) { return shownName(name).toLowerCase().replace(/\p{Default_Ignorable_Code_Point}/gu, '') }

function markOf (id) {
  return `#${(Math.floor(hashOf(id) / 360) % 36 ** 4).toString(36).padStart(4, '0')}`
}

/** Returns the FNV-1a hash of the whole id, because ids have any form, and several may have the same ending. */
function hashOf (id) {
  let hash = 0x811c9dc5
  for (const character of id) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193) >>> 0
  return hash
}
