// What the page keeps in the browser. If the browser denies access to a storage, nothing is kept.

/** Creates the storage of a person. @param prefix of the keys: two persons on one page have different ones */
export function pageStorage (prefix) {
  const keyOf = (key) => `${prefix} ${key}`
  return {
    /** Returns a value that all tabs share; undefined if there is none. */
    get: (key) => attempt(() => JSON.parse(window.localStorage.getItem(keyOf(key)))) ?? undefined,
    set (key, value) {
      attempt(() => {
        if (value === undefined) window.localStorage.removeItem(keyOf(key))
        else window.localStorage.setItem(keyOf(key), JSON.stringify(value))
      })
    },
    /**
     * Keeps a value of this tab over a reload. Returns the value before the reload. The value is in sessionStorage only while the page
     * is unloaded: a duplicated tab has a copy of the storage, and would otherwise be the same member.
     * @param read returns the value to keep
     */
    keep: (key, read) => keepOverReload(keyOf(key), read)
  }
}

function keepOverReload (key, read) {
  window.addEventListener('pagehide', () => {
    attempt(() => window.sessionStorage.setItem(key, JSON.stringify(read())))
  })
  // Called when the page is restored from the back/forward cache.
  window.addEventListener('pageshow', ({ persisted }) => { if (persisted) take(key) })
  return take(key)
}

function take (key) {
  const value = attempt(() => JSON.parse(window.sessionStorage.getItem(key)))
  attempt(() => window.sessionStorage.removeItem(key))
  return value ?? undefined
}

function attempt (run) {
  try {
    return run()
  } catch {
    return undefined
  }
}
