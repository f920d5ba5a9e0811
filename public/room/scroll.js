// The scroll position of a message list. It follows the newest message until the user scrolls up. Then the visible messages keep
// their place on the screen, whatever is added or removed around them.
const AT_END = 24
const NEAR = 300

/**
 * @param lists the lists of messages in the scroller, from top to bottom
 * @param onScroll called after the user has scrolled, with whether each end of the list is near
 */
export function scrollPosition (scroller, lists, onScroll) {
  let following = true
  /** Whether the last row is the newest message of the room. */
  let isComplete = true
  let lastTop = 0
  /** The visible rows, and their places on the screen. */
  let visible = []

  scroller.addEventListener('scroll', () => {
    const { scrollTop, scrollHeight, clientHeight } = scroller
    const upwards = scrollTop < lastTop
    const below = scrollHeight - scrollTop - clientHeight
    lastTop = scrollTop
    // A list whose height shrinks also leaves the end, but only the user scrolls up.
    if (below < AT_END || upwards) following = below < AT_END
    remember()
    onScroll({ nearTop: upwards && scrollTop < NEAR, nearEnd: below < NEAR })
  })
  const observer = new window.ResizeObserver(() => keep())
  for (const element of [scroller, ...lists]) observer.observe(element)

  function remember () {
    const top = scroller.scrollTop
    visible = []
    for (const { children } of lists) {
      for (let i = firstBelow(children, top); i < children.length && children[i].offsetTop < top + scroller.clientHeight; i++) {
        visible.push({ row: children[i], place: children[i].offsetTop - top })
      }
    }
  }

  /** Called after a change of the rows. @param complete whether the last row is the newest message of the room */
  function keep (complete = isComplete) {
    isComplete = complete
    if (following && complete) scroller.scrollTop = lastTop = scroller.scrollHeight
    else {
      const kept = visible.find(({ row }) => row.isConnected && row.offsetParent !== null)
      const top = kept === undefined ? lastTop : Math.round(kept.row.offsetTop - kept.place)
      if (top !== Math.round(scroller.scrollTop)) scroller.scrollTop = lastTop = top
      // Newer messages of the next page may be below now.
      if (following) following = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < AT_END
    }
    remember()
  }

  return {
    keep,
    follow () {
      following = true
      keep()
    },
    /** Shows a row in the middle. */
    showRow (row) {
      following = false
      row.scrollIntoView({ block: 'center' })
      lastTop = scroller.scrollTop
      remember()
    },
    get following () { return following },
    get isFilled () { return scroller.scrollHeight > scroller.clientHeight + NEAR }
  }
}

/** Returns the index of the first row that ends below a height, by halves, because the rows are in order. */
function firstBelow (rows, height) {
  let [low, high] = [0, rows.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (rows[middle].offsetTop + rows[middle].offsetHeight <= height) low = middle + 1
    else high = middle
  }
  return low
}
