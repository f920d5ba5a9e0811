// A scrollable list. It follows its newest item until the user scrolls up. Then it keeps the scroll position.
const MAX_ITEMS = 1_000

/**
 * @param list the <ol>; its parent scrolls
 * @param newMessages a button that scrolls to the newest item
 * @param reachedTop called when the user has scrolled to the top
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
    // A list whose height shrinks also leaves the bottom, but only the user scrolls up.
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

  /** Changes the items above the visible ones, which keep their position on the screen. */
  function keepScroll (change) {
    const below = scroller.scrollHeight - scroller.scrollTop
    change()
    scroller.scrollTop = lastTop = scroller.scrollHeight - below
  }

  /** Runs a change that screen readers must not announce, because it only adds older messages. */
  function silently (change) {
    scroller.ariaLive = 'off'
    change()
    setTimeout(() => { scroller.ariaLive = 'polite' }, 1_000)
  }

  /** Inserts an item before another one, or at the end. */
  function add (item, before = null) {
    list.insertBefore(item, before)
    const surplus = list.children.length - MAX_ITEMS
    if (surplus > 0) keepScroll(() => { for (let i = 0; i < surplus; i++) list.firstChild.remove() })
    if (following) follow()
    else newMessages.hidden = false
  }

  return {
    add,
    follow,
    /** Called when an item has become higher. */
    grown () { if (following) follow() },
    keepScroll,
    prepend: (items) => silently(() => keepScroll(() => list.prepend(...items))),
    /** Replaces all items. */
    show: (items) => silently(() => {
      list.replaceChildren(...items)
      follow()
    }),
    get full () { return list.children.length >= MAX_ITEMS }
  }
}
