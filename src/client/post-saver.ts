import { ChatError } from './error.ts'
import type { PendingRequest, RoomState } from './pending-request.ts'
import type { SavedPost, SavedPosts } from './saved-posts.ts'
import { idleTimer } from './timer.ts'

/** Maximum ms for which the posts of a room wait for the store. */
const MAX_WAIT = 2_000

/** The queue of the requests that wait for acknowledgement. */
interface Queue {
  isJoined (room: string): boolean
  /** Adds saved posts of a room. Ignores them if the room is no longer joined. */
  restore (room: string, posts: readonly SavedPost[]): void
  flush (): void
}

/** Saves the posts of a client, and restores those of earlier clients. */
export type PostSaver = ReturnType<typeof postSaver>

/** @param onError called with the first error of the store */
export function postSaver (store: SavedPosts, queue: Queue, onError?: (error: ChatError) => void) {
  /** Id of the client's member. */
  let member: string
  /** The rooms whose requests wait for the store, once for each operation. */
  const waits: string[] = []
  /** Posts that were removed during the current calls of the store: `list` may still return them. */
  const removed = new Set<string>()
  let calls = 0

  /** Calls the store after the previous call for the same post. */
  async function call (run: () => unknown, previous?: Promise<void>): Promise<void> {
    calls++
    try {
      await previous
      await run()
    } catch (error) {
      onError?.(new ChatError('not_saved', String(error)))
      onError = undefined
    }
    if (--calls === 0) removed.clear()
  }

  /** Lets the requests of a room wait. */
  async function hold (room: string, done: Promise<void>): Promise<void> {
    waits.push(room)
    await Promise.race([done, new Promise<void>((resolve) => idleTimer(resolve, MAX_WAIT))])
    waits.splice(waits.indexOf(room), 1)
    if (!waits.includes(room)) queue.flush()
  }

  /** Saves a post, or replaces it. @param room its state if it is joined: the post may be sent before it is saved */
  function save (request: PendingRequest, room?: RoomState): Promise<void> {
    const { json, at, saved } = request
    const since = request.since ??= room?.position
    const post = { ...JSON.parse(json), member, at, since } as SavedPost
    const done = request.saved = call(() => store.add(post), saved)
    return done
  }

  /** Restores the saved posts of a joined room. Its requests wait meanwhile, to keep the order. */
  function restore (room: string): void {
    if (!queue.isJoined(room)) return
    void hold(room, call(async () => {
      const posts = await store.list({ room, member })
      queue.restore(room, posts.filter((post) => post.room === room && post.member === member && !removed.has(post.id)))
    }))
  }

  /** Called when the client is closed. The posts stay saved. */
  const end = store.watch?.(restore)

  return {
    save,
    restore,
    end,
    /** Called when a request is acknowledged or rejected. */
    remove ({ id, saved }: PendingRequest): void {
      if (saved === undefined) return
      removed.add(id)
      void call(() => store.remove(id), saved)
    },
    /** @param id of the client's member */
    onConnect (id: string): void { member = id },
    /**
     * Returns whether a request has to wait. A post that was saved without `since` waits until it is saved with `since`. Otherwise, a
     * later client couldn't know that the post was sent.
     */
    holds (request: PendingRequest, room: RoomState): boolean {
      if (request.saved !== undefined && request.since === undefined) void hold(request.room, save(request, room))
      return waits.includes(request.room)
    }
  }
}
