// Who has come and left in the last seconds, in one line. The line has its place above the field, so that no message moves.
import { setText } from '../dom.js'

/** ms after the last change. */
const SHOWN = 10_000
const MAX_MEMBERS = 1_000

/** Returns functions that add members to the line, and that empty it. */
export function presenceLine (element, names) {
  /** Members by id. */
  const [came, left] = [new Map(), new Map()]
  let timer

  function add (changes) {
    for (const member of changes.came) move(member, left, came)
    for (const member of changes.left) move(member, came, left)
    // Newcomers give their name after they have come.
    for (const member of changes.renamed) if (came.has(member.id)) came.set(member.id, member)
    draw()
    if (changes.came.length + changes.left.length === 0) return
    clearTimeout(timer)
    timer = setTimeout(clear, SHOWN)
  }

  function clear () {
    clearTimeout(timer)
    came.clear()
    left.clear()
    draw()
  }

  function draw () {
    setText(element, [sentence(came, 'came.'), sentence(left, 'left.')].filter(Boolean).join(' '))
  }

  function sentence (members, verb) {
    return members.size === 0 ? '' : `${names.list([...members.values()])} ${verb}`
  }

  return { add, clear }
}

/** A member that has come and left again within these seconds is in neither list. */
function move (member, from, to) {
  if (!from.delete(member.id) && to.size < MAX_MEMBERS) to.set(member.id, member)
}
