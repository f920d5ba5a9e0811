// What the page keeps in the browser. If the browser denies access to a storage, nothing is kept.

/**
 * Creates the storage of a person.
 * @param prefix of the keys
 * @param given a storage like `localStorage` that is used for everything; default: the storages of the browser
 */
export function personStorage (prefix, given) {
  const keyOf = (key) => `${prefix} ${key}`
  const shared = () => given ?? window.localStorage
  return {
    /** Returns a value that all tabs share; undefined if there is none. */
    get: (key) => attempt(() => JSON.parse(shared().getItem(keyOf(key)))) ?? undefined,
    set (key, value) {
      attempt(() => {
        if (value === undefined) shared().removeItem(keyOf(key))
        else shared().setItem(keyOf(key), JSON.stringify(value))
      })
    },
    /**
     * Keeps a value of this tab over a reload. Returns the value before the reload. The value is in sessionStorage only while the page
     * is unloaded: a duplicated tab has a copy of the storage, and would otherwise be the same member.
     * @param read returns the value to keep
     */
    keep: (key, read) => keepOverReload(() => given ?? window.sessionStorage, keyOf(key), read)
  }
}

function keepOverReload (storage, key, read) {
  window.addEventListener('pagehide', () => {
    attempt(() => storage().setItem(key, JSON.stringify(read())))
  })
  // Called when the page is restored from the back/forward cache.
  window.addEventListener('pageshow', ({ persisted }) => { if (persisted) take(storage, key) })
  return take(storage, key)
}

function take (storage, key) {
  const value = attempt(() => JSON.parse(storage().getItem(key)))
  attempt(() => storage().removeItem(key))
  return value ?? undefined
}

function attempt (run) {
  try {
    return run()
  } catch {
    return undefined
  }
}
