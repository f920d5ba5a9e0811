import { deferred } from '../deferred.ts'
import { ChatError } from '../error.ts'
import { pendingRequest, type Outcome, type PendingRequest, type RoomState } from '../requests/pending-request.ts'
import type { PostSaver, SavingClient } from '../post-saver.ts'
import type { SavedPost } from '../saved-post.ts'
import { idleTimer } from '../timer.ts'
import type { PostStore } from './post-store.ts'

/** Maximum ms for which the posts of a room wait for the store. */
const MAX_WAIT = 2_000

/** Maximum number of calls that the store has not answered. Beyond it, the store is not called. */
const MAX_CALLS = 1_000

/** Saves the posts of a client in a store, and restores those of earlier clients. */
export function storePostSaver (store: PostStore, { queue, server, emit, flush }: SavingClient): PostSaver {
  /** The rooms whose requests wait for the store, once for each operation. */
  const waits: string[] = []
  /** Posts that were removed during the current calls of the store: `list` may still return them. */
  const removed = new Set<string>()
  let calls = 0
  let hasFailed = false

  /** Calls the store after the previous call for the same post. Emits the first error of the store. */
  async function call (run: () => unknown, previous?: Promise<void>): Promise<void> {
    if (calls >= MAX_CALLS) return failed('the store does not answer')
    calls++
    try {
      await previous
      await run()
    } catch (error) {
      failed(String(error))
    }
    if (--calls === 0) removed.clear()
  }

  function failed (reason: string): void {
    if (!hasFailed) emit('error', new ChatError('not_saved', reason))
    hasFailed = true
  }

  /** Delays the requests of a room. */
  async function hold (room: string, done: Promise<void>): Promise<void> {
    waits.push(room)
    await Promise.race([done, new Promise<void>((resolve) => idleTimer(resolve, MAX_WAIT))])
    waits.splice(waits.indexOf(room), 1)
    if (!waits.includes(room)) flush()
  }

  function save (request: PendingRequest, room?: RoomState): Promise<void> {
    const { json, at, saved } = request
    const since = request.since ??= room?.position
    const post = { ...JSON.parse(json), member: server.sender?.id, at, since } as SavedPost
    const done = request.saved = call(() => store.add(post), saved)
    return done
  }

  function restore (room: string): void {
    if (!server.joinedRooms.has(room)) return
    const member = server.sender!.id
    void hold(room, call(async () => {
      const posts = await store.list({ room, member })
      if (!server.joinedRooms.has(room) || server.sender!.id !== member) return
      insert(room, posts.filter((post) => post.room === room && post.member === member && !removed.has(post.id) && !queue.has(post.id)))
    }))
  }

  /** Returns a saved post with its request. Removes and reports an invalid one, which no client can send. */
  function requestOf (saved: SavedPost) {
    const { id, room, text, data, at, since } = saved
    const outcome = deferred<string>()
    const post = Object.assign(outcome.promise, { id })
    try {
      const request = pendingRequest({ type: 'post', room, text, data }, outcome as Outcome, id, at)
      post.catch(() => { /* the event has reported the post */ })
      return [{ ...saved, post, request: Object.assign(request, { since, sent: since !== undefined, saved: Promise.resolve() }) }]
    } catch (error) {
      void call(() => store.remove(id))
      emit('error', new ChatError('not_saved', `the saved post ${id} is invalid: ${String(error)}`))
      return []
    }
  }

  /** Inserts posts of earlier clients before the other requests, and reports them. */
  function insert (room: string, posts: readonly SavedPost[]): void {
    const restored = posts.flatMap(requestOf)
    const others = [...queue.values()]
    queue.clear()
    for (const request of [...restored.map(({ request }) => request), ...others]) queue.set(request.id, request)
    for (const { request, ...post } of restored) {
      server.joinedRooms.get(room)?.onPost(post)
      emit('restored', post)
    }
  }

  const unwatch = store.watch?.(restore)

  return {
    save,
    restore,
    end () { unwatch?.() },
    remove ({ id, saved }) {
      if (saved === undefined) return
      if (calls < MAX_CALLS) removed.add(id)
      void call(() => store.remove(id), saved)
    },
    holds (request, room) {
      if (request.saved !== undefined && request.since === undefined) void hold(request.room, save(request, room))
      return waits.includes(request.room)
    }
  }
}
