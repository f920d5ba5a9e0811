// A scrolled list that follows its newest item until the reader scrolls up, and keeps the reader's place then.
const LONGEST_LIST = 1_000

/**
 * @param list the <ol>; its parent scrolls
 * @param newMessages a button that leads to the newest
 * @param reachedTop called when the reader has scrolled up to the top
 */
export function messageList (list, newMessages, reachedTop = () => {}) {
  const scroller = list.parentElement
  let following = true
  let lastTop = 0

  scroller.onscroll = () => {
    const { scrollTop, scrollHeight, clientHeight } = scroller
    const atBottom = scrollHeight - scrollTop - clientHeight < 32
    const upwards = scrollTop < lastTop
    lastTop = scrollTop
    // Only the reader scrolls up; a list that got lower leaves the bottom too.
    if (atBottom || upwards) following = atBottom
    if (following) newMessages.hidden = true
    else if (upwards && scrollTop < 48) reachedTop()
  }
  newMessages.onclick = () => {
    scroller.focus()
    follow()
  }

  new window.ResizeObserver(() => { if (following) follow() }).observe(scroller)

  function follow () {
    following = true
    newMessages.hidden = true
    scroller.scrollTop = scroller.scrollHeight
  }

  /** Changes what stands above the reader's place, which stays where it is. */
  function keepPlace (change) {
    const below = scroller.scrollHeight - scroller.scrollTop
    change()
    scroller.scrollTop = lastTop = scroller.scrollHeight - below
  }

  /** What was said before is not read aloud as news. */
  function silently (change) {
    scroller.ariaLive = 'off'
    change()
    setTimeout(() => { scroller.ariaLive = 'polite' }, 1_000)
  }

  /** Puts an item at the end, or before another one. */
  function add (item, before = null) {
    list.insertBefore(item, before)
    const surplus = list.children.length - LONGEST_LIST
    if (surplus > 0) keepPlace(() => { for (let i = 0; i < surplus; i++) list.firstChild.remove() })
    if (following) follow()
    else newMessages.hidden = false
  }

  return {
    add,
    follow,
    keepPlace,
    prepend: (items) => silently(() => keepPlace(() => list.prepend(...items))),
    /** Replaces all items by these. */
    show: (items) => silently(() => {
      list.replaceChildren(...items)
      follow()
    }),
    get full () { return list.children.length >= LONGEST_LIST }
  }
}
