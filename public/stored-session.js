// Stores the session, so that a reloaded page is the same member. The session is in sessionStorage only while the page is
// unloaded: a duplicated tab gets a copy of the storage, and both tabs would otherwise be one member, listed once.

/** @param key of the storage item. If storage is disabled, a reloaded page is a new member */
export function storedSession (key) {
  let current = take()

  window.addEventListener('pagehide', () => {
    if (current) attempt(() => window.sessionStorage.setItem(key, JSON.stringify(current)))
  })
  // The page was restored from the back/forward cache.
  window.addEventListener('pageshow', ({ persisted }) => { if (persisted) take() })

  function take () {
    const stored = attempt(() => JSON.parse(window.sessionStorage.getItem(key)))
    attempt(() => window.sessionStorage.removeItem(key))
    return stored
  }

  return {
    /** Returns the session, unless the name has changed: a new name is a new member, and earlier messages keep the old one. */
    get: (name) => current?.name === name ? current.session : undefined,
    set (name, session) { current = { name, session } }
  }
}

function attempt (run) {
  try {
    return run()
  } catch {
    return undefined
  }
}
