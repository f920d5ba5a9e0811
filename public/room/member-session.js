// The session, which makes a later client the same member. A reload keeps it. A new tab takes the one of the last visit, unless another
// tab uses it: two tabs would otherwise be one member.

/** ms that a tab has the session after it has renewed its claim. Browsers delay the timers of background tabs by up to a minute. */
const CLAIM = 180_000
const RENEW = 30_000

/** Returns a storage for the option `session` of the client. */
export function memberSession (storage) {
  let session = storage.keep('session', () => session)
  claim()

  /** Claims the session of the last visit for this tab, if it is free or this tab's own. */
  function claim () {
    const last = storage.get('last session')
    if (last === undefined || (last.session !== session && (session !== undefined || last.until > Date.now()))) return
    session = last.session
    write(Date.now() + CLAIM)
  }

  function write (until) { storage.set('last session', { session, until }) }

  const isLast = () => session !== undefined && storage.get('last session')?.session === session
  setInterval(() => { if (isLast()) write(Date.now() + CLAIM) }, RENEW)
  window.addEventListener('pagehide', () => { if (isLast()) write(0) })
  window.addEventListener('pageshow', ({ persisted }) => { if (persisted) claim() })

  return {
    getItem: () => session,
    setItem (_key, value) {
      const wasLast = isLast()
      session = value === '' ? undefined : value
      const last = storage.get('last session')
      if (session !== undefined && (wasLast || last === undefined || last.until < Date.now())) write(Date.now() + CLAIM)
    }
  }
}
