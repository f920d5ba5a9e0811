import type { FastifyRequest } from 'fastify'
import type { PropertyError } from './argument-checks.ts'
import { appContent, assertSize, type Content } from './content.ts'
import { Forbidden, HookFailed, InvalidHookResult, PostRefused } from './errors.ts'
import type { Member } from './store.ts'
import { messageOf } from './thrown.ts'

/** What a client says of itself: in `hello`, or by `?name=` of a plain client. */
export interface Hello {
  /** normalised; nobody has checked that it is the client's to use */
  readonly name?: string | undefined
  readonly token?: string | undefined
  /** undefined for a plain client */
  readonly session?: string | undefined
}

/**
 * A member as the app names it. An answer with other properties, or with one that isn't valid, is a fault of the app: an
 * error in the log, and 1011.
 */
export interface Authenticated {
  /** 1 to 128 characters, without control characters and line breaks */
  readonly id: string
  /** by the rules for a client's name; absent, null or empty: no name, whatever the client says */
  readonly name?: string | null | undefined
  /** ms since the epoch, or a Date; the connection is closed with 4401 then */
  readonly expiresAt?: number | Date | undefined
}

export interface AuthorizeQuestion {
  readonly member: Member
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
   * Returns who this is. Called on `hello`, or, for a plain client, when it connects. null, undefined, or an error with
   * `statusCode` or `status` 401 or 403: the connection is closed with 4401, for good. Any other throw is logged as an error
   * and closes with 1013, so that the client comes back, as does a promise that hasn't settled by
   * `limits.handshakeTimeout`. Without it, anyone may chat under any name.
   */
  readonly authenticate?: ((request: FastifyRequest, hello: Hello) =>
    Authenticated | null | undefined | Promise<Authenticated | null | undefined>) | undefined
  /** Whether a member may join, post or read back here; by default it may. */
  readonly authorize?: ((question: AuthorizeQuestion) => boolean | Promise<boolean>) | undefined
  /** Gives the message as it is to be stored. A throw refuses it, and its message is told to the member. */
  readonly onMessage?: ((draft: PostDraft, member: Member) => PostDraft | Promise<PostDraft>) | undefined
  readonly onJoin?: ((member: Member, room: string) => void | Promise<void>) | undefined
  readonly onLeave?: ((member: Member, room: string) => void | Promise<void>) | undefined
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
    throw hookFailed(name, error)
  }
}

/** Returns the error for a hook of the app that threw. */
export function hookFailed (name: keyof Hooks, cause: unknown): Error {
  return Object.assign(new HookFailed(name), { cause })
}

/** Returns errors for the properties of what a hook returned. */
export function resultErrors (name: keyof Hooks): PropertyError {
  return (property, problem) => new InvalidHookResult(name, `returned '${property}', which ${problem}`)
}

/**
 * Resolves with the content to be stored: that of the draft, or what `onMessage` returned.
 * @param content of the draft
 * @param limit bytes of what `onMessage` may return
 * @throws Forbidden, PostRefused, PostTooLarge, HookFailed
 */
export async function vet (hooks: Hooks, draft: PostDraft, content: Content, member: Member, limit: number): Promise<Content> {
  await authorize(hooks, { member, action: 'post', room: draft.room })
  if (hooks.onMessage === undefined) return content
  let changed: PostDraft
  try {
    changed = await hooks.onMessage(draft, member)
  } catch (error) {
    throw new PostRefused(messageOf(error))
  }
  const stored = await run('onMessage', () => {
    // Read once: a getter may return something else the second time.
    const { body, data }: Partial<PostDraft> = changed ?? {}
    return appContent(body, data, resultErrors('onMessage'))
  })
  assertSize(stored, null, limit)
  return stored
}
