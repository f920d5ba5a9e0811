import { AsyncLocalStorage } from 'node:async_hooks'
import type { FastifyRequest } from 'fastify'
import type { PropertyError } from './argument-checks.ts'
import type { ChatChange, ReportedChange } from './chat-change.ts'
import type { ChatEntry, MessageContent } from './chat-entry.ts'
import type { ChatMember } from './chat-member.ts'
import type { MemberData } from './chat-types.ts'
import { isObject } from './checks.ts'
import { Forbidden, HookFailed, InvalidHookResult } from './errors.ts'
import { unknownProperty } from './unknown-name.ts'

/** Unverified properties that a client sends in `hello`, or as `?name=` if it is a plain client. */
export interface Hello {
  /** normalised */
  readonly name?: string | undefined
  readonly token?: string | undefined
  /** undefined for a plain client */
  readonly session?: string | undefined
}

/**
 * The member that the app assigns to a connection. An unknown or invalid property is a fault of the app: it is logged as an
 * error, and the connection is closed with 1011.
 */
export interface Authenticated {
  /** 1 to 128 UTF-16 code units without control characters, line breaks and lone surrogates; must not begin with `address:` */
  readonly id: string
  /** follows the rules for a client's name; absent, null or empty: the member has no name, even if the client sent one */
  readonly name?: string | null | undefined
  /** shown to the members of its rooms, such as a picture or a role: any JSON value of at most 1 KiB; absent or null: none */
  readonly data?: MemberData | null | undefined
  /** ms since the Unix epoch, or a Date; the connection is closed with 4401 at that time */
  readonly expiresAt?: number | Date | undefined
}

/** The argument of `authorize`: an action of a member in a room. entry: the entry that the member wants to change, as it is now. */
export type AuthorizeQuestion = { readonly member: ChatMember, readonly room: string } & (
  | { readonly action: 'join' | 'post' | 'history', readonly entry?: undefined }
  | { readonly action: 'edit' | 'delete' | 'react', readonly entry: ChatEntry }
)

/** The result of `prePost`. `room`: that of the draft, or absent; any other value is a fault. */
export type PrePosted = MessageContent & { readonly room?: string | undefined }

/** A message that isn't stored yet. */
export type PostDraft = MessageContent & { readonly room: string }

/**
 * Hooks of the app. Each runs in the AsyncLocalStorage context of the connection's upgrade request. If one throws, the
 * connection is closed with 1011; `authenticate`, `prePost`, `preChange`, `onPost` and `onChange` differ, see there.
 */
export interface Hooks {
  /**
   * Returns the member of a connection. Called on `hello`, or when a plain client connects. If it returns null or undefined,
   * or throws an error with `statusCode` or `status` 401 or 403, the connection is closed with 4401 and the client doesn't
   * reconnect. Any other error is logged and closes the connection with 1013, so that the client reconnects. A promise that
   * isn't settled within `limits.handshakeTimeout` closes it with 1013 too. Without this hook, anyone may chat under any name.
   */
  readonly authenticate?: ((request: FastifyRequest, hello: Hello) =>
    Authenticated | null | undefined | Promise<Authenticated | null | undefined>) | undefined
  /**
   * Returns whether a member may join a room, post to it, read its history, or change an entry. Called with 'post' for a signal
   * too, such as typing: that answer is reused for 5 s for further signals in the room. Without this hook, every member may, but edit and
   * delete only its own entries. With it, the hook alone decides: one that returns true for 'edit' and 'delete' allows every
   * member to change the entries of all.
   */
  readonly authorize?: ((question: AuthorizeQuestion) => boolean | Promise<boolean>) | undefined
  /**
   * Returns the content to store: the draft, or other content for the same room. If it throws, the post is refused and the
   * member receives the error's message. A result of a wrong type is a fault of the app: it is logged as an error, and the post
   * is refused without its details.
   */
  readonly prePost?: ((draft: PostDraft, member: ChatMember) => PrePosted | Promise<PrePosted>) | undefined
  /**
   * Called for each entry that this node has stored, after it is stored; also for those of `app.chat.publish`, in the context
   * of its caller. Calls of one room are made in its order, each after the previous one has ended. Posting doesn't wait for
   * them: while 2 MiB of entries of a room wait, or 16 MiB in all rooms, further entries get no call. That is logged, as an
   * error of the hook is; neither affects a connection. An entry whose outcome was unknown may get no call. `app.close()` waits
   * for the calls, at most for `drainTimeout`. A crash loses those that wait. A streamed text gets its call when it begins, without
   * text; `onChange` reports its end.
   */
  readonly onPost?: ((entry: ChatEntry, room: string) => void | Promise<void>) | undefined
  /**
   * Returns the change to make: the change itself, or an edit with other content. It must have the same type and reaction. If it
   * throws, the change is refused and the member receives the error's message. A result of a wrong type is handled as that of `prePost`.
   * @param entry as it is before the change
   */
  readonly preChange?: ((change: ChatChange, entry: ChatEntry, member: ChatMember) => ChatChange | Promise<ChatChange>) | undefined
  /**
   * Called for each change that this node has stored, after it is stored, and in one order with the calls of `onPost`; also for
   * those of `app.chat`. The rules of `onPost` hold. A change without an effect gets no call, and neither does one whose entry is
   * no longer kept. A streamed text gets one call, when it ends, and none while it grows.
   * @param entry as it is when the hook is called: it may have changed again
   */
  readonly onChange?: ((change: ReportedChange, entry: ChatEntry, room: string) => void | Promise<void>) | undefined
  /** Called each time a connection has joined a room. An error closes that connection with 1011. */
  readonly onJoin?: ((member: ChatMember, room: string) => void | Promise<void>) | undefined
  /** Called each time a connection that `onJoin` was called for has left a room, or has ended. An error closes that connection with 1011. */
  readonly onLeave?: ((member: ChatMember, room: string) => void | Promise<void>) | undefined
}

/**
 * Returns functions of the app bound to the caller's AsyncLocalStorage context: that of a connection's request, or of a call of
 * `app.chat`. Messages arrive in the context of the socket, which has none of the app's values.
 */
export function inContext<Functions extends object> (functions: Functions): Functions {
  const given = Object.entries(functions).filter(([, each]) => each !== undefined) as Array<[string, (...args: unknown[]) => unknown]>
  if (given.length === 0) return functions
  const run = AsyncLocalStorage.snapshot()
  return Object.fromEntries(given.map(([name, each]) => [name, (...args: unknown[]) => run(each, ...args)])) as Functions
}

/** Resolves with whether `authorize` allows it. @throws HookFailed */
export async function may (hooks: Hooks, question: AuthorizeQuestion): Promise<boolean> {
  const { authorize: hook } = hooks
  return hook === undefined || await run('authorize', () => hook(question)) === true
}

/** @throws Forbidden, HookFailed */
export async function authorize (hooks: Hooks, question: AuthorizeQuestion): Promise<void> {
  if (!await may(hooks, question)) throw new Forbidden(question.action, question.room)
}

/** Runs a hook of the app. @throws HookFailed with the thrown value as its cause */
export async function run<T> (name: keyof Hooks, hook: () => T | Promise<T>): Promise<T> {
  try {
    return await hook()
  } catch (error) {
    throw hookFailed(name, error)
  }
}

/** Returns the error for a hook that threw. */
export function hookFailed (name: keyof Hooks, cause: unknown): Error {
  return new HookFailed(name, { cause })
}

/** @throws InvalidHookResult if the value isn't an object, or has an unknown property */
export function assertResult<Name extends string> (
  hook: keyof Hooks, value: unknown, known: readonly Name[]
): asserts value is { readonly [K in Name]?: unknown } {
  if (!isObject(value)) throw new InvalidHookResult(hook, `must return an object with ${known.join(', ')}`)
  const unknown = unknownProperty(value, known)
  if (unknown !== undefined) throw resultErrors(hook)(unknown.name, unknown.problem)
}

/** Returns a function that makes the errors for the properties of a hook's result. */
export function resultErrors (name: keyof Hooks): PropertyError {
  return (property, problem) => new InvalidHookResult(name, `returned '${property}', which ${problem}`)
}
