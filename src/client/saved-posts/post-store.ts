import type { SavedPost } from '../saved-post.ts'

/** A room and the id of the client's member. The client is about to send the posts of this member that are saved for the room. */
export interface MemberRoom { readonly room: string, readonly member: string }

/**
 * A store of an app that keeps posts until they are acknowledged or rejected. Each method may return a promise. The client makes the calls
 * for one post one after the other. If a method throws, rejects or never answers, posts are sent without it. While 1,000 calls are
 * unanswered, it isn't called.
 */
export interface PostStore {
  /** Saves a post. MUST replace the saved post with this id, and keep its place in the order. */
  add (post: SavedPost): unknown
  /** Removes a post. MUST ignore an unknown id. */
  remove (id: string): unknown
  /**
   * Returns the saved posts in the order in which they were first added. The client passes a room and a member, and ignores the
   * posts of others.
   *
   * If several clients share the posts, such as the tabs of a browser, each post belongs to one client: to the client that adds it, or
   * then to the client to which it is returned for its room. A post MUST NOT be returned to another client before its client has ended.
   */
  list (of?: MemberRoom): readonly SavedPost[] | Promise<readonly SavedPost[]>
  /**
   * Called once by a client, with a function. Call the function with each room that may have posts without a client. Returns a
   * function that is called when the client is closed: its posts then belong to no client.
   */
  watch? (listener: (room: string) => void): () => void
}
