import type { SavedPosts } from '../post-saver.ts'
import type { PostStore } from './post-store.ts'
import { storePostSaver } from './store-post-saver.ts'

export type { SavedPost } from '../saved-post.ts'
export type { MemberRoom, PostStore } from './post-store.ts'

/** Returns the posts in a store of the app, for the option `savedPosts` of one client. */
export function savedPosts (store: PostStore): SavedPosts {
  return {
    list: () => store.list(),
    open: (client) => storePostSaver(store, client)
  }
}
