import { indexedDB, type Database, type ObjectStore, type Request } from './platform.ts'
import type { SavedPost } from '../saved-post.ts'

const POSTS = 'posts'
const LEASES = 'leases'

/** A client's claim on a post. until: ms since 1970 */
interface Lease { readonly owner: string, readonly until: number }

/** The database: posts in the order in which they were first added, and the leases by the ids of the posts. */
export class PostsDatabase {
  readonly #name: string
  readonly #maxPosts: number
  readonly #maxAge: number
  #opened: Promise<Database> | undefined

  /** @param maxPosts posts that it keeps @param maxAge ms after which a post is removed */
  constructor (name: string, maxPosts: number, maxAge: number) {
    this.#name = name
    this.#maxPosts = maxPosts
    this.#maxAge = maxAge
  }

  /** Adds or replaces a post. Rejects if there are too many. */
  async put (post: SavedPost): Promise<void> {
    await this.#write(POSTS, async (posts) => {
      const key = await result(posts.index('id').getKey(post.id))
      if (key === undefined && await result(posts.count()) >= this.#maxPosts) throw new Error(`more than ${this.#maxPosts} posts are waiting`)
      await result(posts.put(post, key))
    })
  }

  async delete (id: string): Promise<void> {
    await this.#write(POSTS, async (posts) => {
      const key = await result(posts.index('id').getKey(id))
      if (key !== undefined) await result(posts.delete(key))
    })
  }

  /** Resolves with the posts in their order. Removes those that are too old. */
  async list (): Promise<SavedPost[]> {
    const oldest = new Date(Date.now() - this.#maxAge).toISOString()
    const [all, keys] = await this.#run(POSTS, 'readonly', (posts) => Promise.all([result(posts.getAll()), result(posts.getAllKeys())]))
    const posts = all as SavedPost[]
    const expired = keys.filter((_, i) => posts[i]!.at < oldest)
    if (expired.length > 0) await this.#write(POSTS, (posts) => Promise.all(expired.map((key) => result(posts.delete(key)))))
    return posts.filter(({ at }) => at >= oldest)
  }

  /** Adds or renews leases. Resolves with the ids whose lease the owner has until that time. */
  async lease (ids: readonly string[], owner: string, until: number): Promise<string[]> {
    const leased: string[] = []
    await this.#write(LEASES, async (leases) => {
      for (const id of ids) {
        const lease = await result(leases.get(id)) as Lease | undefined
        if (lease !== undefined && lease.owner !== owner && lease.until > Date.now()) continue
        await result(leases.put({ owner, until } satisfies Lease, id))
        leased.push(id)
      }
    })
    return leased
  }

  async endLeases (ids: readonly string[]): Promise<void> {
    await this.#write(LEASES, (leases) => Promise.all(ids.map((id) => result(leases.delete(id)))))
  }

  async #write (name: string, work: (store: ObjectStore) => Promise<unknown>): Promise<void> { await this.#run(name, 'readwrite', work) }

  /** Runs a transaction. Resolves with the result of the work once the transaction is complete. Rejects if either fails. */
  async #run<T> (name: string, mode: 'readonly' | 'readwrite', work: (store: ObjectStore) => Promise<T>): Promise<T> {
    const transaction = (await this.#open()).transaction([name], mode)
    const completed = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve()
      // For example because the quota is exceeded.
      transaction.onabort = () => reject(transaction.error ?? new Error('the transaction was aborted'))
    })
    const [value] = await Promise.all([work(transaction.objectStore(name)), completed])
    return value
  }

  /** Opens the database. After an error, the next call tries again. */
  #open (): Promise<Database> {
    const opened = this.#opened ??= new Promise<Database>((resolve, reject) => {
      const request = indexedDB().open(this.#name, 1)
      request.onupgradeneeded = () => {
        request.result.createObjectStore(POSTS, { autoIncrement: true }).createIndex('id', 'id', { unique: true })
        request.result.createObjectStore(LEASES)
      }
      request.onerror = () => reject(request.error ?? new Error('IndexedDB does not open'))
      request.onsuccess = () => {
        const database = request.result
        database.onclose = () => { this.#opened = undefined }
        // Another page deletes the database.
        database.onversionchange = () => {
          this.#opened = undefined
          database.close()
        }
        resolve(database)
      }
    })
    opened.catch(() => { this.#opened = undefined })
    return opened
  }
}

function result<T> (request: Request<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error ?? new Error('the request failed'))
  })
}
