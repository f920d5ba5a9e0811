// Keeps the session, so that a reloaded page is the same member. The session is in sessionStorage only while the page is
// unloaded: a duplicated tab gets a copy of the storage, and both tabs would otherwise be one member, listed once.

/** @param key of the storage item. If storage is disabled, a reloaded page is a new member */
export function keptSession (key) {
  let held = take()

  window.addEventListener('pagehide', () => {
    if (held) attempt(() => window.sessionStorage.setItem(key, JSON.stringify(held)))
  })
  // The page was restored from the back/forward cache.
  window.addEventListener('pageshow', ({ persisted }) => { if (persisted) take() })

  function take () {
    const kept = attempt(() => JSON.parse(window.sessionStorage.getItem(key)))
    attempt(() => window.sessionStorage.removeItem(key))
    return kept
  }

  return {
    /** Returns the session, unless the name has changed: a new name is a new member, and earlier messages keep the old one. */
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
