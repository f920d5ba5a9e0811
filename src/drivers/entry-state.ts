import { codePoints } from '../code-points.ts'
import { EntryDeleted, Forbidden, InvalidArgument, InvalidChange, StreamEnded } from '../errors.ts'
import { Reactions } from './reactions.ts'
import { checkAppend } from './streamed-text.ts'
import type { Amendment, ChangeCursor, Changed, Revision } from '../change.ts'
import type { Cursor, Draft, Entry, Member } from '../store.ts'

/** The part of an entry that only changes and streaming set. */
export interface EntryState {
  /** number of the entry's last change; 0 for a streaming entry that never changed */
  readonly number: number
  /** time of that change, in the unit of the store */
  readonly at: number
  /** time of the last edit, in the unit of the store */
  readonly editedAt: number | undefined
  readonly isDeleted: boolean
  /** length of the text in code points while it is streaming; undefined otherwise */
  readonly streamed: number | undefined
  readonly isUnfinished: boolean
  readonly reactions: Reactions | undefined
}

/** The part of an entry that changes replace. `state`: undefined for an entry that neither changed nor is streaming. */
export interface Changeable {
  readonly body: string | Uint8Array
  readonly data: string | undefined
  readonly state: EntryState | undefined
}

const UNCHANGED: EntryState = {
  number: 0, at: 0, editedAt: undefined, isDeleted: false, streamed: undefined, isUnfinished: false, reactions: undefined
}

/** Returns the state of a draft. @throws InvalidArgument for streaming bytes */
export function stateOfDraft ({ body, streaming }: Pick<Draft, 'body' | 'streaming'>): EntryState | undefined {
  if (streaming === undefined) return undefined
  if (typeof body !== 'string') throw new InvalidArgument('draft.body', 'must be text if it is streaming')
  return { ...UNCHANGED, streamed: codePoints(body) }
}

/**
 * Returns whether an amendment has an effect on an entry. Makes the checks of `Store.amend` that concern the entry, in the order of
 * the contract.
 * @param idleTime ms since the stream of the entry was begun or renewed
 * @throws Forbidden, EntryDeleted, StreamEnded, InvalidChange, TooManyReactions; InvalidArgument for a reaction of nobody
 */
export function checkAmendment (
  room: string, entry: Changeable & { readonly from: Member | null }, { own, by, idle = 0, change }: Amendment, idleTime: () => number
): boolean {
  const { from, body, data, state } = entry
  if (own !== undefined && from?.id !== own) throw new Forbidden('change messages of others', room)
  if ('delete' in change) return state?.isDeleted !== true
  if (state?.isDeleted === true) throw new EntryDeleted()
  if ('edit' in change) {
    if (typeof body !== 'string') throw new InvalidChange('a binary message has no text')
    if (state?.streamed !== undefined) throw new InvalidChange('a message can be edited only after its streaming has ended')
    return change.edit.body !== body || change.edit.data !== data
  }
  if ('append' in change) {
    if (typeof body !== 'string') throw new StreamEnded()
    return checkAppend(body, state?.streamed ?? codePoints(body), state?.streamed !== undefined, change)
  }
  if ('end' in change) return state?.streamed !== undefined && idleTime() >= idle
  if (by === null) throw new InvalidArgument('amendment.by', 'must be the id of a member')
  const { react, on } = change
  const reactions = state?.reactions
  if ((reactions?.has(react, by) ?? false) === on) return false
  if (on) reactions?.assertSpace(react)
  return true
}

/**
 * Returns an entry after an amendment that passed `checkAmendment`. Changes the entry's reactions in place: a copy of them for each
 * reaction would take quadratic time in a storm of reactions.
 * @param number number of the change @param at time of the change, in the unit of the store
 */
export function amended ({ body, data, state }: Changeable, { by, change }: Amendment, number: number, at: number): Changeable & { readonly state: EntryState } {
  const made: EntryState = { ...state ?? UNCHANGED, number, at }
  if ('delete' in change) return { body: '', data: undefined, state: { ...UNCHANGED, number, at, isDeleted: true } }
  if ('edit' in change) return { body: change.edit.body, data: change.edit.data, state: { ...made, editedAt: at } }
  if ('append' in change) return { body: body as string + change.append, data, state: { ...made, streamed: change.at + codePoints(change.append) } }
  if ('end' in change) return { body, data, state: { ...made, streamed: undefined, isUnfinished: change.unfinished === true } }
  const reactions = made.reactions ?? new Reactions()
  if (change.on) reactions.add(change.react, by!)
  else reactions.delete(change.react, by!)
  return { body, data, state: { ...made, reactions: reactions.size === 0 ? undefined : reactions } }
}

/**
 * Returns the record of a change, as a feed delivers it.
 * @param entry after the change, without `mine`; called for an `end` only @param at time of the change in ms since 1970
 * @param state the state of the entry after the change
 */
export function changedRecord (
  { offset, position }: Cursor, change: ChangeCursor, at: number, { by, change: made }: Amendment, state: EntryState, entry: () => Entry
): Changed {
  if ('react' in made) return { offset, position, change, at, by: by!, made, count: state.reactions?.count(made.react) ?? 0 }
  if ('end' in made) return { offset, position, change, at, by, made, ended: entry() }
  return { offset, position, change, at, by, made }
}

/** The part of an entry's state that readers see. `reactions`: as they are in memory, or encoded. */
export type ReadableState = Pick<EntryState, 'isDeleted' | 'streamed' | 'isUnfinished'> & { readonly reactions: Pick<Reactions, 'list'> | undefined }

/**
 * Returns an entry with the properties that changes and streaming set.
 * @param revision of the last change; undefined for none
 * @param editedAt time of the last edit in ms since 1970 @param member whose reactions are `mine`
 */
export function withState (
  entry: Entry, { isDeleted, streamed, isUnfinished, reactions }: ReadableState, revision: Revision | undefined, editedAt: number | undefined,
  member: string | undefined
): Entry {
  return {
    ...entry,
    ...revision !== undefined && { revision },
    ...editedAt !== undefined && { editedAt },
    ...isDeleted && { deleted: true },
    ...streamed !== undefined && { streaming: true },
    ...isUnfinished && { unfinished: true },
    ...reactions !== undefined && { reactions: reactions.list(member) }
  }
}
