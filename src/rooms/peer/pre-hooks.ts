import type { ChatChange } from '../../chat-change.ts'
import type { ChatEntry } from '../../chat-entry.ts'
import type { ChatMember } from '../../chat-member.ts'
import { appContent, assertSize, type Content } from '../../content.ts'
import { PostRefused, PrePostFailed } from '../../errors.ts'
import { assertResult, authorize, hookFailed, resultErrors, type Hooks, type PostDraft } from '../../hooks.ts'
import { messageOf } from '../../thrown.ts'

type PreHook = 'prePost' | 'preChange'

/**
 * Authorizes a post and runs `prePost`. Resolves with the content to store: that of the draft, or the result of `prePost`.
 * @param content of the draft
 * @param limit maximum bytes of a message that `prePost` returns
 * @throws Forbidden, PostRefused, PrePostFailed, PostTooLarge, HookFailed
 */
export async function vetPost (hooks: Hooks, draft: PostDraft, content: Content, member: ChatMember, limit: number): Promise<Content> {
  await authorize(hooks, { member, action: 'post', room: draft.room })
  const { prePost } = hooks
  if (prePost === undefined) return content
  const result = await callPreHook(() => prePost(draft, member))
  const stored = checkResult('prePost', () => postedContent(result, draft.room))
  assertSize(stored, null, limit)
  return stored
}

/**
 * Runs `preChange`. Resolves with the content of an edit to store; with undefined for another change.
 * @param content of the edit, if the change is one
 * @param entry before the change
 * @param limit maximum bytes of a message that `preChange` returns
 * @throws PostRefused, PrePostFailed, PostTooLarge
 */
export async function vetChange (
  { preChange }: Hooks, change: ChatChange, content: Content | undefined, entry: ChatEntry, member: ChatMember, limit: number
): Promise<Content | undefined> {
  if (preChange === undefined) return content
  const result = await callPreHook(() => preChange(change, entry, member))
  const stored = checkResult('preChange', () => changedContent(result, change))
  if (stored !== undefined) assertSize(stored, null, limit)
  return stored
}

/** @throws PostRefused if the hook throws */
async function callPreHook<T> (hook: () => T | Promise<T>): Promise<T> {
  try {
    return await hook()
  } catch (error) {
    throw new PostRefused(messageOf(error))
  }
}

/** Returns what `check` returns for the result of a hook. @throws PrePostFailed if it throws */
function checkResult<T> (hook: PreHook, check: () => T): T {
  try {
    return check()
  } catch (error) {
    // Not a close: the client would repeat the request on each new connection.
    throw new PrePostFailed({ cause: hookFailed(hook, error) })
  }
}

/** Returns the content that `prePost` returned for a post to a room. @throws InvalidHookResult */
function postedContent (result: unknown, expected: string): Content {
  assertResult('prePost', result, ['room', 'text', 'bytes', 'data'])
  // Read once: a getter may return another value the second time.
  const { room = expected, ...given } = result
  if (room !== expected) throw resultErrors('prePost')('room', `must be '${expected}', as in the draft`)
  return appContent(given, resultErrors('prePost'))
}

/** Returns the content that `preChange` returned for an edit; undefined for another change. @throws InvalidHookResult */
function changedContent (result: unknown, change: ChatChange): Content | undefined {
  const fault = resultErrors('preChange')
  if (change.type === 'edit') {
    assertResult('preChange', result, ['type', 'text', 'data'])
    const { type, ...given } = result
    if (type !== change.type) throw fault('type', `must be '${change.type}', as in the change`)
    return appContent(given, fault)
  }
  const names = Object.keys(change)
  assertResult('preChange', result, names)
  for (const name of names) {
    const expected = (change as Readonly<Record<string, unknown>>)[name]
    if (result[name] !== expected) throw fault(name, `must be ${JSON.stringify(expected)}, as in the change`)
  }
  return undefined
}
