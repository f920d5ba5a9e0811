import { MemoryStore, type Store } from '../../src/index.ts'

/** Returns a memory store with some calls replaced. `works` is the underlying store. */
export function storeWith (calls: (works: Store) => Partial<Store>): Store {
  const works = new MemoryStore()
  return {
    append: (...args) => works.append(...args),
    find: (...args) => works.find(...args),
    read: (...args) => works.read(...args),
    follow: (...args) => works.follow(...args),
    erase: (...args) => works.erase(...args),
    clear: (...args) => works.clear(...args),
    check: () => works.check(),
    close: () => works.close(),
    ...calls(works)
  }
}
