// Remembers whether the drawer is open. On the first visit it is open where there is room for it.
const KEY = 'fastify-chat drawer'

/** Returns whether the drawer is open. */
export function isDrawerOpen () {
  return (read() ?? (window.matchMedia('(min-width: 1100px) and (min-height: 700px)').matches ? 'open' : 'closed')) === 'open'
}

export function rememberDrawer (open) {
  try {
    window.localStorage.setItem(KEY, open ? 'open' : 'closed')
  } catch {
    // Storage is disabled: the next visit is like the first one.
  }
}

function read () {
  try {
    return window.localStorage.getItem(KEY)
  } catch {
    return null
  }
}
