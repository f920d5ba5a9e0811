import type { FastifyInstance } from 'fastify'
import type { Backend, OpenBackend } from '../backend.ts'
import { checkOpenBackend } from '../option-checks.ts'

/** A backend between an `open` and its `close`. */
interface Opening { readonly opened: Promise<OpenBackend>, users: number }

interface Shared {
  /** undefined while nobody uses the backend */
  opening: Opening | undefined
  /** Settles when the last `close` has. Never rejects. */
  closed: Promise<void>
}

const shared = new WeakMap<Backend, Shared>()

/** One chat's use of a backend. The first use opens the backend, the last one closes it, a later one opens it again. */
export class BackendUse {
  readonly #backend: Backend
  #opening: Opening | undefined
  #released: Promise<void> | undefined

  constructor (backend: Backend) {
    this.#backend = backend
  }

  /** Opens the backend, unless it is open, after a close under way has ended. Rejects as `Backend.open` does. @throws InvalidOption */
  async open (app: FastifyInstance): Promise<OpenBackend> {
    const state = stateOf(this.#backend)
    const opening = this.#opening = state.opening ??= {
      opened: state.closed.then(async () => await openChecked(this.#backend, app)),
      users: 0
    }
    opening.users++
    try {
      return await opening.opened
    } catch (error) {
      // Those that came together receive this error. A later use opens the backend again.
      if (state.opening === opening) state.opening = undefined
      throw error
    }
  }

  /** Ends this use, and closes the backend after the last one. Idempotent. Rejects as `OpenBackend.close` does. */
  release (): Promise<void> {
    this.#released ??= this.#release()
    return this.#released
  }

  async #release (): Promise<void> {
    const opening = this.#opening
    if (opening === undefined || --opening.users > 0) return
    const state = stateOf(this.#backend)
    if (state.opening === opening) state.opening = undefined
    // A failed open left nothing to close.
    const closing = opening.opened.then(async (backend) => await backend.close(), () => {})
    state.closed = closing.catch(() => {})
    await closing
  }
}

/** Opens a backend. Closes what `open` resolved with if that is no `OpenBackend`. @throws InvalidOption */
async function openChecked (backend: Backend, app: FastifyInstance): Promise<OpenBackend> {
  const opened = await backend.open(app)
  try {
    return checkOpenBackend(opened)
  } catch (error) {
    // An error of this close would hide the fault of the backend.
    if (typeof (opened as Partial<OpenBackend> | undefined | null)?.close === 'function') await closeQuietly(opened)
    throw error
  }
}

async function closeQuietly (backend: OpenBackend): Promise<void> {
  try {
    await backend.close()
  } catch {}
}

function stateOf (backend: Backend): Shared {
  let state = shared.get(backend)
  if (state === undefined) shared.set(backend, state = { opening: undefined, closed: Promise.resolve() })
  return state
}
