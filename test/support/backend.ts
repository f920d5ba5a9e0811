import type { Backend, OpenBackend } from '../../src/backend.ts'
import { memory } from '../../src/drivers/memory/backend.ts'
import { MemoryStore } from '../../src/drivers/memory/store.ts'
import type { Store } from '../../src/store.ts'

/** Returns a backend with the given store or roster, which the test closes. The other one is in memory. */
export function backendOf (given: Partial<Pick<OpenBackend, 'store' | 'roster'>>): Backend {
  return {
    async open (app) {
      const { store, roster, close } = await memory().open(app)
      return { store, roster, ...given, close }
    }
  }
}

/** Returns a store with some calls replaced. `works` is the underlying store. */
export function storeWith (works: Store, calls: (works: Store) => Partial<Store>): Store {
  return {
    append: (...args) => works.append(...args),
    find: (...args) => works.find(...args),
    read: (...args) => works.read(...args),
    follow: (...args) => works.follow(...args),
    get: (...args) => works.get(...args),
    amend: (...args) => works.amend(...args),
    findChange: (...args) => works.findChange(...args),
    control: (...args) => works.control(...args),
    markRead: (...args) => works.markRead(...args),
    readPositions: (...args) => works.readPositions(...args),
    forgetRead: (...args) => works.forgetRead(...args),
    rooms: () => works.rooms(),
    clear: (...args) => works.clear(...args),
    check: () => works.check(),
    close: () => works.close(),
    ...calls(works)
  }
}

/** Returns a backend in memory with some calls of its store replaced. `works` is the underlying store. */
export function backendWith (calls: (works: Store) => Partial<Store>): Backend {
  return backendOf({ store: storeWith(new MemoryStore(), calls) })
}

/** Returns a backend in memory, and the number of calls of one method of its store. */
export function countingBackend (method: 'get' | 'markRead' | 'readPositions'): { backend: Backend, calls: () => number } {
  let calls = 0
  const backend = backendWith((works) => ({
    async [method] (...args: unknown[]) {
      calls++
      return await Reflect.apply(works[method], works, args)
    }
  }))
  return { backend, calls: () => calls }
}
