import type { ChatError } from '../../error.ts'
import type { UnstoredItem } from './timeline-item.ts'

interface OwnPost {
  item: UnstoredItem
  /** Position of the acknowledged post, while its message has not arrived. */
  position?: string
  /** Whether its message may belong to what was lost in a break, and never arrive. */
  isLost?: boolean
}

export type OwnPosts = ReturnType<typeof ownPosts>

/**
 * The own posts of a room that are not shown as stored messages. A message of this member can be that of a post whose
 * acknowledgement follows, or can come from another device. It is hidden until the posts in doubt are answered.
 * @param isUnsent returns whether a post waits and was never sent
 */
export function ownPosts (isUnsent: (id: string) => boolean) {
  const posts = new Map<string, OwnPost>()
  /** The posts in doubt of each hidden message, by its position. */
  const hidden = new Map<string, Set<string>>()

  function onAnswer (id: string): void {
    for (const [position, inDoubt] of hidden) if (inDoubt.delete(id) && inDoubt.size === 0) hidden.delete(position)
  }

  return {
    items: (): UnstoredItem[] => Array.from(posts.values(), ({ item }) => item),

    hides: (position: string): boolean => hidden.has(position),

    add (item: UnstoredItem): void { posts.set(item.key, { item }) },

    /** Removes and returns a failed post; undefined if the key isn't that of one. */
    takeFailed (key: string): UnstoredItem | undefined {
      const item = posts.get(key)?.item
      if (item?.state !== 'failed') return undefined
      posts.delete(key)
      return item
    },

    /** Returns the key of a message. @param own whether this member has sent it */
    keyOf (position: string, own: boolean): string {
      const inDoubt = new Set<string>()
      for (const [id, post] of posts) {
        if (post.position === position) {
          posts.delete(id)
          return id
        }
        if (post.position === undefined && post.item.state === 'pending' && own && !isUnsent(id)) inDoubt.add(id)
      }
      if (inDoubt.size > 0) hidden.set(position, inDoubt)
      return position
    },

    /** Called when a post is acknowledged. @param isShown whether its message has arrived @param follows whether it can arrive later */
    onStored (id: string, position: string, isShown: boolean, follows: boolean): void {
      const post = posts.get(id)
      if (isShown || !follows || post?.isLost || hidden.has(position)) posts.delete(id)
      else if (post !== undefined) post.position = position
      // Its message is no longer in doubt, even if other posts are.
      hidden.delete(position)
      onAnswer(id)
    },

    onFailed (id: string, error: ChatError): void {
      const post = posts.get(id)
      if (post !== undefined) post.item = { ...post.item, state: 'failed', error }
      onAnswer(id)
    },

    /** Called when the earlier messages of the room are no longer valid, after the first of the new ones. */
    onBreak (): void {
      for (const [id, post] of posts) {
        if (post.position !== undefined) posts.delete(id)
        post.isLost = !isUnsent(id)
      }
    }
  }
}
