/** Creates a record of the members that are present in a room. It finds those that have come or left. */
export function presentMembers () {
  let ids = new Set()
  /** Whether the server lists all members. */
  let isWhole = true

  return {
    /** Called with each `joined` event. */
    start ({ members, count }) {
      ids = new Set(members.map(({ id }) => id))
      isWhole = count <= ids.size
    },
    /**
     * Called with each `presence` event. Returns the members that have come, left and changed their names: none if the server doesn't list
     * all members, because then others may enter the list when one leaves.
     */
    update ({ joined, left, count }) {
      const wasWhole = isWhole
      const came = joined.filter(({ id }) => !ids.has(id))
      const renamed = joined.filter(({ id }) => ids.has(id))
      for (const { id } of left) ids.delete(id)
      for (const { id } of came) ids.add(id)
      isWhole = count <= ids.size
      return wasWhole && isWhole ? { came, left, renamed } : { came: [], left: [], renamed: [] }
    }
  }
}
