// The keyboard in a message list: the arrow keys, Home and End move between messages, Enter opens the actions of one.

/** @param actions `openMenuOf (row)` */
export function rowFocus (scroller, actions) {
  scroller.tabIndex = 0

  scroller.addEventListener('keydown', (event) => {
    if (event.target.closest('button, a') || event.altKey || event.ctrlKey || event.metaKey) return
    const rows = [...scroller.querySelectorAll('.row')]
    const at = rows.indexOf(document.activeElement)
    if (event.key === 'Enter' && at >= 0) actions.openMenuOf(rows[at])
    else {
      const next = nextIndex(event.key, at, rows.length)
      if (next === undefined || rows.length === 0) return
      rows[Math.max(0, Math.min(rows.length - 1, next))].focus()
    }
    event.preventDefault()
  })
}

function nextIndex (key, at, length) {
  if (key === 'ArrowUp') return at < 0 ? length - 1 : at - 1
  if (key === 'ArrowDown') return at < 0 ? length - 1 : at + 1
  if (key === 'Home') return 0
  if (key === 'End') return length - 1
  return undefined
}
