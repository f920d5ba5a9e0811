import type { FastifyInstance } from 'fastify'
import type { Roster } from './roster.ts'
import type { Store } from './store.ts'

/**
 * Opens a store and a roster that belong together: the option `backend`. `memory`, `lmdb` and `redis` return one.
 *
 * Chats that are registered with the same object share rooms, members and restrictions, in one app or in several. The plugin
 * counts them: it calls `open` for the first, and the `close` of what it opened when the last one is closed. Once `close` has
 * settled, the plugin may call `open` again. Between an `open` that resolved and its `close` it MUST NOT be called again.
 */
export interface Backend {
  /**
   * Opens the backend. Called at `register`, with the app of the first chat. MUST settle within Fastify's `pluginTimeout`, and
   * MUST release everything before it rejects.
   *
   * MUST reject for faults that waiting doesn't fix: a wrong option, a directory in use, stored data of another format
   * (FST_CHAT_STORE_FORMAT). `register` rejects with the same error. MUST NOT reject because a server can't be reached for
   * now: calls of the store and the roster then reject with UNAVAILABLE until it can, and so do their `check` methods.
   *
   * The stored data MUST carry a number that names its format. Data of another format MUST NOT be changed.
   */
  open (app: AnyApp): Promise<OpenBackend>
}

/** An app of any server, logger and type provider. */
// `any`: a Fastify instance is invariant in its type parameters, so no other type accepts all of them.
export type AnyApp = FastifyInstance<any, any, any, any, any>

/** A backend in use. If a member is missing or wrong, the plugin calls `close`, if it is a function, and `register` rejects. */
export interface OpenBackend {
  readonly store: Store
  readonly roster: Roster
  /**
   * Largest message that the store keeps, in bytes as received from a client. `register` rejects a higher `limits.chatPayload`.
   * Absent if there is no such bound.
   */
  readonly maxPayload?: number | undefined
  /**
   * Closes the store and the roster, and releases everything that `open` acquired. Called once, after all chats have stopped
   * using them. Settles within a bounded time. `app.close()` rejects with its error.
   */
  close (): Promise<void>
}
