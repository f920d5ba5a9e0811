import { ChatError } from '../error.ts'
import type { UnstoredItem } from './timeline-item.ts'

interface OwnPost {
  item: UnstoredItem
  /** Position of the acknowledged post, while its message has not arrived. */
  position?: string
  /** Whether its message may belong to what was lost in a break, and never arrive. */
  isLost?: boolean
}

/**
 * The own posts of a room that are not shown as stored messages. A message of this member can be that of a post whose
 * acknowledgement follows, or can come from another device. It is hidden until the posts in doubt are answered.
 */
export class OwnPosts {
  readonly #isUnsent: (id: string) => boolean
  readonly #posts = new Map<string, OwnPost>()
  /** The posts in doubt of each hidden message, by its position. */
  readonly #hidden = new Map<string, Set<string>>()

  /** @param isUnsent returns whether a post waits and was never sent */
  constructor (isUnsent: (id: string) => boolean) {
    this.#isUnsent = isUnsent
  }

  get items (): UnstoredItem[] { return Array.from(this.#posts.values(), ({ item }) => item) }

  hides (position: string): boolean { return this.#hidden.has(position) }

  add (item: UnstoredItem): void { this.#posts.set(item.key, { item }) }

  /** Removes and returns a failed post; undefined if the key isn't that of one. */
  takeFailed (key: string): UnstoredItem | undefined {
    const item = this.#posts.get(key)?.item
    if (item?.state !== 'failed') return undefined
    this.#posts.delete(key)
    return item
  }

  /** Returns the key of a message. @param own whether this member has sent it */
  keyOf (position: string, own: boolean): string {
    const inDoubt = new Set<string>()
    for (const [id, post] of this.#posts) {
      if (post.position === position) {
        this.#posts.delete(id)
        return id
      }
      if (post.position === undefined && post.item.state === 'pending' && own && !this.#isUnsent(id)) inDoubt.add(id)
    }
    if (inDoubt.size > 0) this.#hidden.set(position, inDoubt)
    return position
  }

  /** Called when a post is acknowledged. @param isShown whether its message has arrived @param follows whether it can arrive later */
  onStored (id: string, position: string, isShown: boolean, follows: boolean): void {
    const post = this.#posts.get(id)
    if (isShown || !follows || post?.isLost || this.hides(position)) this.#posts.delete(id)
    else if (post !== undefined) post.position = position
    this.#onAnswer(id)
  }

  onFailed (id: string, error: ChatError): void {
    const post = this.#posts.get(id)
    if (post !== undefined) post.item = { ...post.item, state: 'failed', error }
    this.#onAnswer(id)
  }

  /** Called when the earlier messages of the room are no longer valid, after the first of the new ones. */
  onBreak (): void {
    for (const [id, post] of this.#posts) {
      if (post.position !== undefined) this.#posts.delete(id)
      post.isLost = !this.#isUnsent(id)
    }
  }

  #onAnswer (id: string): void {
    for (const [position, inDoubt] of this.#hidden) if (inDoubt.delete(id) && inDoubt.size === 0) this.#hidden.delete(position)
  }
}
