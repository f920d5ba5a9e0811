import type { Amended, Amendment, Revision } from '../../change.ts'
import { reportedChange, storedChange, type ChatChange, type ReportableChange } from '../../chat-change.ts'
import { chatEntry } from '../../chat-entry.ts'
import { contentHash, contentLimit, type Content } from '../../content.ts'
import { EntryDeleted, Forbidden, NotKept } from '../../errors.ts'
import { entryCost } from '../../heap-cost.ts'
import { authorize, type Hooks } from '../../hooks.ts'
import { entryPosition } from '../batch/composed-position.ts'
import { NotCalled } from './hook-calls.ts'
import type { Membership } from '../membership/membership.ts'
import { whileAllowed } from './request-rights.ts'
import type { PeerRestrictions } from './peer-restrictions.ts'
import type { PostContext } from './post.ts'
import { UNKNOWN_SINCE } from './request-keys.ts'
import { vetChange } from './pre-hooks.ts'
import type { Entry, Position } from '../../store.ts'

/** A member's request to change an entry. since: the client's revision when it first sent a repeated edit. */
export interface ChangeRequest {
  readonly room: string
  readonly position: Position
  /** chosen by the client, to recognise a repeated edit */
  readonly id: string
  readonly since?: Revision | undefined
  /** The data of an edit, as JSON text. */
  readonly json?: string | undefined
  readonly change: ChatChange
}

export interface ChangeResult {
  /** The member's membership in the room. */
  readonly membership: Membership
  /** Resolves when the change was passed to the store or refused, to keep requests in order; undefined if it was already. */
  readonly submitted: Promise<void> | undefined
  readonly stored: Promise<Amended>
}

/**
 * Passes a change to the store, after the hooks of the app if there are any.
 * @param key under which the store remembers an edit
 */
export function submitChange (
  request: ChangeRequest, key: string, membership: Membership, restrictions: PeerRestrictions, hooks: Hooks, context: PostContext
): ChangeResult {
  const { change, since, json } = request
  const position = entryPosition(request.position)
  const { member, room } = membership
  const content: Content | undefined = change.type === 'edit' ? { body: change.text, data: json } : undefined
  // An edit of another entry is another request, even to the same content.
  const identity = content === undefined ? undefined : { key, hash: `${contentHash(content.body, content.data)} ${position}`, since }
  const own = isForOwnOnly(change, hooks) ? member.id : undefined
  const amend = (vetted: Content | undefined, since = identity?.since): Promise<Amended> =>
    amendEntry(context, hooks, room, position, { ...identity, since, by: member.id, own, change: storedChange(change, vetted) })
  if (since === undefined && restrictions.isEmpty && hooks.authorize === undefined && hooks.preChange === undefined) {
    return { membership, submitted: undefined, stored: amend(content) }
  }
  // A repeat is looked up before the hooks run, so that they refuse no edit that was stored already.
  const check = async (): Promise<Content | undefined> => {
    restrictions.assertMay(change.type, room)
    return await vet(change, position, content, membership, hooks, context)
  }
  const ask = async (): Promise<void> => {
    if (hooks.authorize !== undefined) await authorizedEntry(change, position, membership, hooks, context)
  }
  const pass = async (): Promise<Passed> => {
    const isRepeat = since !== undefined && content !== undefined && await context.store.findChange(room, key) !== undefined
    if (isRepeat) return { stored: amend(content, UNKNOWN_SINCE) }
    return await whileAllowed(membership, change.type, ask, check, (checked) => {
      // Synchronous with `amend`: a restriction may have arrived while the hooks ran.
      restrictions.assertMay(change.type, room)
      return { stored: amend(checked) }
    })
  }
  const passed = pass()
  return { membership, submitted: passed.then(() => {}, () => {}), stored: passed.then(({ stored }) => stored) }
}

/** Passes a change to the store, and calls `onChange` once it is stored. */
export function amendEntry (
  { store, hookCalls }: Pick<PostContext, 'store' | 'hookCalls'>, { onChange }: Pick<Hooks, 'onChange'>, room: string, position: Position,
  amendment: Amendment & { readonly change: ReportableChange }
): Promise<Amended> {
  const stored = store.amend(room, position, amendment)
  if (onChange !== undefined) callOnChange({ store, hookCalls }, onChange, room, position, amendment.change, stored)
  return stored
}

/** Calls `onChange` once a change is stored. @param stored result of `amend` */
export function callOnChange (
  { store, hookCalls }: Pick<PostContext, 'store' | 'hookCalls'>, onChange: NonNullable<Hooks['onChange']>, room: string, position: Position,
  change: ReportableChange, stored: Promise<Amended>
): void {
  hookCalls.add('onChange', room, costOf(change, position), stored, async () => {
    const entry = await store.get(room, position).catch((cause: unknown) => {
      throw new NotCalled('the store failed', { cause })
    })
    if (entry !== undefined) await onChange(reportedChange(change), chatEntry(entry), room)
  })
}

/** Without `authorize`, members edit and delete only their own entries. The store checks it in the same step as it changes the entry. */
function isForOwnOnly ({ type }: ChatChange, { authorize }: Hooks): boolean { return authorize === undefined && type !== 'react' }

/** A change that was passed to the store. */
interface Passed { readonly stored: Promise<Amended> }

/** Resolves with the entry at a position if `authorize` allows its change. @throws NotKept, Forbidden, HookFailed */
async function authorizedEntry (
  { type: action }: ChatChange, position: Position, { forms: { member }, room }: Membership, hooks: Hooks, { store }: PostContext
): Promise<Entry> {
  const entry = await store.get(room, position, { for: member.id })
  if (entry === undefined) throw new NotKept()
  await authorize(hooks, { member, action, room, entry: chatEntry(entry) })
  return entry
}

/**
 * Runs the hooks for a change. Resolves with the content to store if it is an edit.
 * @throws NotKept, Forbidden, EntryDeleted, and as `authorize` and `vetChange` do
 */
async function vet (
  change: ChatChange, position: Position, content: Content | undefined, membership: Membership, hooks: Hooks, context: PostContext
): Promise<Content | undefined> {
  if (hooks.authorize === undefined && hooks.preChange === undefined) return content
  const { forms: { member }, room } = membership
  const stored = await authorizedEntry(change, position, membership, hooks, context)
  if (isForOwnOnly(change, hooks) && stored.from?.id !== member.id) throw new Forbidden('change messages of others', room)
  if (stored.deleted === true && change.type !== 'delete') throw new EntryDeleted()
  return await vetChange(hooks, change, content, chatEntry(stored), member, contentLimit(context.limits))
}

/** Returns the bytes of memory of a change that waits for its call. */
function costOf (change: ReportableChange, position: Position): number {
  const content = 'edit' in change ? change.edit : { body: 'react' in change ? change.react : '', data: undefined }
  return entryCost({ ...content, from: null }) + 2 * position.length
}
