/** The parts of IndexedDB and Web Locks that are used. The package compiles without the types of browsers. */
export interface Request<T> { readonly result: T, readonly error: Error | null, onsuccess: (() => void) | null, onerror: (() => void) | null }

export interface ObjectStore {
  get (key: unknown): Request<unknown>
  getKey (key: unknown): Request<unknown>
  getAll (): Request<unknown[]>
  getAllKeys (): Request<unknown[]>
  count (): Request<number>
  put (value: unknown, key?: unknown): Request<unknown>
  delete (key: unknown): Request<unknown>
  index (name: string): Pick<ObjectStore, 'getKey'>
  createIndex (name: string, path: string, options: { unique: boolean }): unknown
}

export interface Transaction {
  readonly error: Error | null
  oncomplete: (() => void) | null
  onabort: (() => void) | null
  objectStore (name: string): ObjectStore
}

export interface Database {
  onclose: (() => void) | null
  onversionchange: (() => void) | null
  createObjectStore (name: string, options?: { autoIncrement: boolean }): ObjectStore
  transaction (names: string[], mode: 'readonly' | 'readwrite'): Transaction
  close (): void
}

interface Factory {
  open (name: string, version: number): Request<Database> & { onupgradeneeded: (() => void) | null, onblocked: (() => void) | null }
}

export interface Locks {
  request (name: string, options: { ifAvailable: true }, granted: (lock: unknown) => Promise<void> | undefined): Promise<unknown>
}

const platform = globalThis as unknown as { readonly indexedDB?: Factory, readonly navigator?: { readonly locks?: Locks } }

/** Returns IndexedDB. @throws Error if the platform has none */
export function indexedDB (): Factory {
  const { indexedDB } = platform
  if (indexedDB === undefined || indexedDB === null) throw new Error('IndexedDB is not available')
  return indexedDB
}

/** Returns Web Locks; undefined where they are missing, such as on pages loaded over plain HTTP. */
export function webLocks (): Locks | undefined { return platform.navigator?.locks }
