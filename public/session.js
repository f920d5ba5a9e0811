// What makes a reload the same member. It lies in sessionStorage only between two lives of the page: a duplicated tab is
// given a copy of the storage, and would otherwise be the same person, listed once and seeing itself speak.

/** @param key where it lies; storage may be switched off, then a reload is someone new */
export function keptSession (key) {
  let held = take()

  window.addEventListener('pagehide', () => {
    if (held) attempt(() => window.sessionStorage.setItem(key, JSON.stringify(held)))
  })
  // The page comes back from the browser's memory.
  window.addEventListener('pageshow', ({ persisted }) => { if (persisted) take() })

  function take () {
    const kept = attempt(() => JSON.parse(window.sessionStorage.getItem(key)))
    attempt(() => window.sessionStorage.removeItem(key))
    return kept
  }

  return {
    /** Under another name one is someone else: what was said before was said by who had that name. */
    of: (name) => held?.name === name ? held.session : undefined,
    hold (name, session) { held = { name, session } }
  }
}

function attempt (run) {
  try {
    return run()
  } catch {
    return undefined
  }
}
