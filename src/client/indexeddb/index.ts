import { unknownProperty } from '../../unknown-name.ts'
import type { SavedPosts } from '../post-saver.ts'
import { savedPosts, type MemberRoom, type PostStore, type SavedPost } from '../saved-posts/index.ts'
import type { Claims } from './claims.ts'
import { LeaseClaims } from './lease-claims.ts'
import { LockClaims } from './lock-claims.ts'
import { webLocks } from './platform.ts'
import { PostsDatabase } from './posts-database.ts'

export interface IndexedDBPostsOptions {
  /** name of the database; one for each server; fastify-chat */
  readonly name?: string | undefined
  /** posts that are saved at the same time, of all tabs and members; further posts are not saved; 1,000 */
  readonly maxPosts?: number | undefined
  /** ms after which a post is removed without being sent; 7 days */
  readonly maxAge?: number | undefined
}

const DAY = 86_400_000

/** ms between two searches for posts of tabs that have ended. */
const SEARCH = 5_000

/**
 * Returns saved posts for one client, in IndexedDB. Tabs share the posts, and one tab sends each post: the tab in which it was made, or,
 * after the end of that tab, another one.
 * @throws TypeError or RangeError that names the wrong option
 */
export function indexedDBPosts (options: IndexedDBPostsOptions = {}): SavedPosts {
  const unknown = unknownProperty(options, ['name', 'maxPosts', 'maxAge'])
  if (unknown !== undefined) throw new TypeError(`option '${unknown.name}' ${unknown.problem}`)
  const { name = 'fastify-chat', maxPosts = 1_000, maxAge = 7 * DAY } = options
  if (typeof name !== 'string') throw new TypeError('name must be a string')
  for (const [option, value] of Object.entries({ maxPosts, maxAge })) {
    if (typeof value !== 'number') throw new TypeError(`${option} must be a number`)
    if (!(value >= 1)) throw new RangeError(`${option} must be at least 1`)
  }
  const database = new PostsDatabase(name, maxPosts, maxAge)
  const locks = webLocks()
  return savedPosts(new IndexedDBPosts(database, locks === undefined ? new LeaseClaims(database) : new LockClaims(locks, `${name} `)))
}

class IndexedDBPosts implements PostStore {
  readonly #database: PostsDatabase
  readonly #claims: Claims
  /** Number of open clients. A page may open its next client before it closes the former one. */
  #clients = 0

  constructor (database: PostsDatabase, claims: Claims) {
    this.#database = database
    this.#claims = claims
  }

  async add (post: SavedPost): Promise<void> {
    // The claim comes first, because another tab can claim the post once it is in the database.
    await this.#claims.claim([post.id])
    this.#releaseIfClosed([post.id])
    await this.#database.put(post)
  }

  async remove (id: string): Promise<void> {
    try {
      await this.#database.delete(id)
    } finally {
      this.#claims.release(id)
    }
  }

  async list (of?: MemberRoom): Promise<SavedPost[]> {
    const all = await this.#database.list()
    if (of === undefined) return all
    const ids = all.filter(({ room, member }) => room === of.room && member === of.member).map(({ id }) => id)
    if (ids.length === 0) return []
    const claimed = new Set(await this.#claims.claim(ids))
    this.#releaseIfClosed(claimed)
    if (claimed.size === 0 || this.#clients === 0) return []
    // Read again: the former owner may have changed or removed them before its claim ended.
    const posts = (await this.#database.list()).filter(({ id }) => claimed.delete(id))
    for (const id of claimed) this.#claims.release(id)
    return posts
  }

  watch (listener: (room: string) => void): () => void {
    this.#clients++
    const search = async () => {
      for (const room of new Set((await this.#database.list()).map(({ room }) => room))) listener(room)
    }
    const timer = setInterval(() => { search().catch(() => { /* the next search follows */ }) }, SEARCH)
    return () => {
      clearInterval(timer)
      if (--this.#clients === 0) this.#claims.releaseAll()
    }
  }

  /** Releases claims that were under way when the client was closed: no other tab could send the posts. */
  #releaseIfClosed (ids: Iterable<string>): void {
    if (this.#clients === 0) for (const id of ids) this.#claims.release(id)
  }
}
