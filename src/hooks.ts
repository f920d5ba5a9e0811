import type { FastifyRequest } from 'fastify'
import { appContent, assertSize, type Content } from './content.ts'
import { Forbidden, HookFailed, PostRefused } from './errors.ts'
import type { Identity } from './store/store.ts'

/** What a client said of itself. */
export interface Hello {
  readonly name?: string | undefined
  readonly token?: string | undefined
  readonly session?: string | undefined
}

/** expiresAt: ms since the epoch, or a Date; the connection is closed with 4401 then. */
export interface Authenticated {
  readonly id: string
  readonly name?: string | undefined
  readonly expiresAt?: number | Date | undefined
}

export interface AuthorizeQuestion {
  readonly member: Identity
  readonly action: 'join' | 'post' | 'history'
  readonly room: string
}

/** A message on its way to the store. body: text, or the bytes of a plain member's binary message. */
export interface PostDraft {
  readonly room: string
  readonly body: string | Uint8Array
  readonly data?: unknown
}

/** The app's say in its chat. A throw closes the connection concerned with 1011, but for those that refuse by it. */
export interface Hooks {
  /**
   * Who this is: on `hello`, or on connecting for a plain client, which has none. null, undefined or a throw: 4401.
   * Without it, anyone may chat under any name.
   */
  readonly authenticate?: ((request: FastifyRequest, hello: Hello | undefined) =>
    Authenticated | null | undefined | Promise<Authenticated | null | undefined>) | undefined
  /** Whether a member may join, post or read back here; by default it may. */
  readonly authorize?: ((question: AuthorizeQuestion) => boolean | Promise<boolean>) | undefined
  /** Gives the message as it is to be stored. A throw refuses it, and its message is told to the member. */
  readonly onMessage?: ((draft: PostDraft, member: Identity) => PostDraft | Promise<PostDraft>) | undefined
  readonly onJoin?: ((member: Identity, room: string) => void | Promise<void>) | undefined
  readonly onLeave?: ((member: Identity, room: string) => void | Promise<void>) | undefined
}

/** Resolves with whether `authorize` allows it. @throws HookFailed */
export async function may (hooks: Hooks, question: AuthorizeQuestion): Promise<boolean> {
  const { authorize: ask } = hooks
  return ask === undefined || await run('authorize', () => ask(question)) === true
}

/** @throws Forbidden, HookFailed */
export async function authorize (hooks: Hooks, question: AuthorizeQuestion): Promise<void> {
  if (!await may(hooks, question)) throw new Forbidden(question.action, question.room)
}

/** Runs one of the app's hooks. @throws HookFailed with what it threw as the cause */
export async function run<T> (name: keyof Hooks, hook: () => T | Promise<T>): Promise<T> {
  try {
    return await hook()
  } catch (error) {
    throw Object.assign(new HookFailed(name), { cause: error })
  }
}

/**
 * Resolves with the content to be stored: that of the draft, or what `onMessage` returned.
 * @param content of the draft
 * @param limit bytes of what `onMessage` may return
 * @throws Forbidden, PostRefused, PostTooLarge
 */
export async function vet (hooks: Hooks, draft: PostDraft, content: Content, member: Identity, limit: number): Promise<Content> {
  await authorize(hooks, { member, action: 'post', room: draft.room })
  if (hooks.onMessage === undefined) return content
  let changed: PostDraft
  try {
    changed = await hooks.onMessage(draft, member)
  } catch (error) {
    throw new PostRefused(error instanceof Error ? error.message : String(error))
  }
  const stored = await run('onMessage', () => appContent(changed?.body, changed?.data))
  assertSize(stored, null, limit)
  return stored
}
