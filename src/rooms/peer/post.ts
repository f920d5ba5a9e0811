import { contentHash, contentLimit, type Content } from '../../content.ts'
import { chatEntry, messageContent } from '../../chat-entry.ts'
import { entryCost } from '../../heap-cost.ts'
import { authorize, type Hooks } from '../../hooks.ts'
import { parseComposed } from '../batch/composed-position.ts'
import type { HookCalls } from './hook-calls.ts'
import type { Membership } from '../membership/membership.ts'
import type { PeerRestrictions } from './peer-restrictions.ts'
import { UNKNOWN_SINCE } from './request-keys.ts'
import { whileAllowed } from './request-rights.ts'
import { vetPost } from './pre-hooks.ts'
import type { Appended, Draft, Position, Store } from '../../store.ts'

/**
 * json: `data` as JSON text. id: chosen by the client, to recognise a repeated post. since: the client's position when it first sent a
 * repeated post.
 */
export interface Post {
  readonly room: string
  readonly body: string | Uint8Array
  readonly data?: unknown
  readonly json?: string | undefined
  readonly id?: string | undefined
  readonly since?: Position | undefined
}

export interface PostResult {
  /** The sender's membership in the room. */
  readonly membership: Membership
  /** Resolves when the post was passed to the store or refused, to keep posts in order; undefined if it was already. */
  readonly submitted: Promise<void> | undefined
  readonly stored: Promise<Appended>
}

export interface PostContext {
  readonly store: Store
  readonly hookCalls: HookCalls
  readonly limits: { readonly chatPayload: number, readonly pendingBytes: number }
}

/**
 * Passes a post to the store, after the hooks of the app if there are any.
 * @param key under which the store remembers it; undefined for a post without an id
 */
export function submit (
  post: Post, key: string | undefined, membership: Membership, restrictions: PeerRestrictions, hooks: Hooks, context: PostContext
): PostResult {
  const { member } = membership
  const { body, json: data } = post
  const hash = key === undefined ? undefined : contentHash(body, data)
  const draft = { key, hash, since: post.since && parseComposed(post.since).base, from: member, body, data }
  if (post.since === undefined && restrictions.isEmpty && hooks.authorize === undefined && hooks.prePost === undefined) {
    return { membership, submitted: undefined, stored: append(draft, membership, hooks, context) }
  }
  return { membership, ...checked(post, draft, membership, restrictions, hooks, context) }
}

/** A post that was passed to the store. */
interface Passed { readonly stored: Promise<Appended> }

/** Passes a draft to the store unless it may not be posted. */
function checked (
  post: Post, draft: Draft & Content, membership: Membership, restrictions: PeerRestrictions, hooks: Hooks, context: PostContext
): Omit<PostResult, 'membership'> {
  const { forms: { member }, room } = membership
  const { store, limits } = context
  const { key } = draft
  const check = async (): Promise<Content> => {
    restrictions.assertMay('post', room)
    return await vetPost(hooks, { room, ...messageContent(post.body, post.data) }, draft, member, contentLimit(limits))
  }
  const ask = async (): Promise<void> => await authorize(hooks, { member, action: 'post', room })
  const pass = async (): Promise<Passed> => {
    // A repeat is looked up before the hooks run, so that they refuse no post that was stored already.
    const isRepeat = post.since !== undefined && key !== undefined && await store.find(room, key) !== undefined
    if (isRepeat) return { stored: append({ ...draft, since: UNKNOWN_SINCE }, membership, hooks, context) }
    return await whileAllowed(membership, 'post', ask, check, ({ body, data }) => {
      // Synchronous with the append: a restriction may have arrived while the hooks ran.
      restrictions.assertMay('post', room)
      return { stored: append({ ...draft, body, data }, membership, hooks, context) }
    })
  }
  const passed = pass()
  return { submitted: passed.then(() => {}, () => {}), stored: passed.then(({ stored }) => stored) }
}

function append (draft: Draft, membership: Membership, hooks: Hooks, { store, hookCalls }: PostContext): Promise<Appended> {
  // Not the name in the post, which may be a slice of a large string: stores keep the name.
  const { room } = membership
  const stored = store.append(room, draft)
  if (hooks.onPost !== undefined) callOnPost(hookCalls, hooks.onPost, room, draft, stored)
  return stored
}

/** Calls `onPost` once a draft is stored. @param stored result of `append` */
export function callOnPost (hookCalls: HookCalls, onPost: NonNullable<Hooks['onPost']>, room: string, draft: Draft, stored: Promise<Appended>): void {
  hookCalls.add('onPost', room, entryCost(draft), stored, ({ offset, position, at }) => onPost(chatEntry({ ...draft, offset, position, at }), room))
}
