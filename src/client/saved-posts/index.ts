import type { SavedPosts } from '../post-saver.ts'
import type { PostStore } from '../saved-posts.ts'
import { postSaver } from './post-saver.ts'

export type { MemberRoom, PostStore, SavedPost } from '../saved-posts.ts'

/** Returns the posts in a store of the app, for the option `savedPosts` of one client. */
export function savedPosts (store: PostStore): SavedPosts {
  return {
    list: () => store.list(),
    open: (client) => postSaver(store, client)
  }
}
