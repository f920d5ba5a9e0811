import { EntryDeleted, Forbidden, InvalidArgument, InvalidChange } from '../errors.ts'
import { Reactions } from './reactions.ts'
import type { Amendment, ChangeCursor, Changed, Revision } from '../change.ts'
import type { Cursor, Entry, Member } from '../store.ts'

/** The part of an entry that only changes set. */
export interface EntryState {
  /** number of the entry's last change */
  readonly number: number
  /** time of that change, in the unit of the store */
  readonly at: number
  /** time of the last edit, in the unit of the store */
  readonly editedAt: number | undefined
  readonly isDeleted: boolean
  readonly reactions: Reactions | undefined
}

/** The part of an entry that changes replace. `state`: undefined for an entry that never changed. */
export interface Changeable {
  readonly body: string | Uint8Array
  readonly data: string | undefined
  readonly state: EntryState | undefined
}

/**
 * Returns whether an amendment has an effect on an entry. Makes the checks of `Store.amend` that concern the entry, in the order of
 * the contract.
 * @throws Forbidden, EntryDeleted, InvalidChange, TooManyReactions; InvalidArgument for a reaction of nobody
 */
export function checkAmendment (room: string, entry: Changeable & { readonly from: Member | null }, { own, by, change }: Amendment): boolean {
  const { from, body, data, state } = entry
  if (own !== undefined && from?.id !== own) throw new Forbidden('change messages of others', room)
  if ('delete' in change) return state?.isDeleted !== true
  if (state?.isDeleted === true) throw new EntryDeleted()
  if ('edit' in change) {
    if (typeof body !== 'string') throw new InvalidChange('a binary message has no text')
    return change.edit.body !== body || change.edit.data !== data
  }
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
  if ('delete' in change) return { body: '', data: undefined, state: { number, at, editedAt: undefined, isDeleted: true, reactions: undefined } }
  let reactions = state?.reactions
  if ('edit' in change) {
    const { edit } = change
    return { body: edit.body, data: edit.data, state: { number, at, editedAt: at, isDeleted: false, reactions } }
  }
  reactions ??= new Reactions()
  if (change.on) reactions.add(change.react, by!)
  else reactions.delete(change.react, by!)
  return { body, data, state: { number, at, editedAt: state?.editedAt, isDeleted: false, reactions: reactions.size === 0 ? undefined : reactions } }
}

/**
 * Returns the record of a change, as a feed delivers it.
 * @param at time of the change in ms since 1970 @param state the state of the entry after the change
 */
export function changedRecord ({ offset, position }: Cursor, change: ChangeCursor, at: number, { by, change: made }: Amendment, state: EntryState): Changed {
  if (!('react' in made)) return { offset, position, change, at, by, made }
  return { offset, position, change, at, by: by!, made, count: state.reactions?.count(made.react) ?? 0 }
}

/** The part of an entry's state that readers see. `reactions`: as they are in memory, or encoded. */
export interface ReadableState {
  readonly isDeleted: boolean
  readonly reactions: Pick<Reactions, 'list'> | undefined
}

/**
 * Returns an entry with the properties that changes set.
 * @param editedAt time of the last edit in ms since 1970 @param member whose reactions are `mine`
 */
export function withState (
  entry: Entry, { isDeleted, reactions }: ReadableState, revision: Revision, editedAt: number | undefined, member: string | undefined
): Entry {
  return {
    ...entry,
    revision,
    ...editedAt !== undefined && { editedAt },
    ...isDeleted && { deleted: true },
    ...reactions !== undefined && { reactions: reactions.list(member) }
  }
}
