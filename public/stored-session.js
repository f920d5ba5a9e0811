// Stores the session, so that a reloaded page is the same member. The session is in sessionStorage only while the page is
// unloaded. A duplicated tab has a copy of the storage. Otherwise, both tabs would be one member.

/** @param key of the storage item; if storage is disabled, a reloaded page is a new member */
export function storedSession (key) {
  let current = take()

  window.addEventListener('pagehide', () => {
    if (current) attempt(() => window.sessionStorage.setItem(key, JSON.stringify(current)))
  })
  // Called when the page is restored from the back/forward cache.
  window.addEventListener('pageshow', ({ persisted }) => { if (persisted) take() })

  function take () {
    const stored = attempt(() => JSON.parse(window.sessionStorage.getItem(key)))
    attempt(() => window.sessionStorage.removeItem(key))
    return stored
  }

  return {
    /** Returns the session, unless the name has changed. A new name gets a new member, so that earlier messages keep the old name. */
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
