/**
 * Keeps the session of a client for a later one: `sessionStorage`, another storage, or two functions of the app. They may return
 * promises. If one throws or rejects, the client continues without it.
 */
export interface SessionStorage {
  /** Returns the session that was set last; '' or nothing if there is none. */
  getItem (key: string): string | null | undefined | Promise<string | null | undefined>
  /** @param session '' when the server has refused the session */
  setItem (key: string, session: string): unknown
}

/** The session of one client. */
export interface KeptSession {
  /** Resolves with the session; '' if there is none. */
  get (): Promise<string>
  set (session: string): Promise<void>
}

/**
 * Returns the session of a client, and keeps it in the storage.
 * @param url names the session in the storage
 */
export function keptSession (given: string | SessionStorage = '', url: string): KeptSession {
  const storage: SessionStorage = typeof given === 'object' ? given : { getItem: () => given, setItem () {} }
  const key = `fastify-chat ${url}`
  let session = ''

  /** Resolves with undefined if the storage fails: a browser may deny access to it, or its quota may be exceeded. */
  async function attempt<Result> (call: () => Result): Promise<Awaited<Result> | undefined> {
    try {
      return await call()
    } catch {
      return undefined
    }
  }

  return {
    async get () {
      const stored = session || await attempt(() => storage.getItem(key))
      session ||= stored ?? ''
      return session
    },
    async set (next) {
      if (next === session) return
      session = next
      await attempt(() => storage.setItem(key, next))
    }
  }
}
