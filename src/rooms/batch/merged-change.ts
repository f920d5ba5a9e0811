import type { Change, Changed, Reaction, Revision } from '../../change.ts'
import { codePoints } from '../../code-points.ts'
import { entryCost } from '../../heap-cost.ts'
import type { Entry, Position } from '../../store.ts'

/** Which reactions of one member were added (`true`) and removed, by their text. */
export type OwnReactions = ReadonlyMap<string, boolean>

/** Text that follows what an entry had before. at, end: lengths of the entry's text before and after it, in code points. */
export interface AppendedText {
  readonly at: number
  readonly end: number
  readonly text: string
  /** number of the appends */
  readonly pieces: number
}

/** Changes of one entry, merged: the whole entry, or what differs from before. */
export interface MergedChange {
  readonly position: Position
  /** Of the last change. */
  readonly revision: Revision
  /** The entry afterwards. The properties below are absent then. */
  readonly whole?: Entry | undefined
  readonly deleted?: true | undefined
  /** data: JSON text. at: in ms since 1970. */
  readonly edit?: { readonly body: string, readonly data: string | undefined, readonly at: number } | undefined
  readonly appended?: AppendedText | undefined
  /** The entry is no longer streaming. unfinished: the rest of its text is missing. */
  readonly ended?: true | undefined
  readonly unfinished?: true | undefined
  /** Counts of the reactions that changed. */
  readonly reactions?: ReadonlyMap<string, number> | undefined
}

/** Bytes of memory of a change and of what it is merged into. */
const CHANGE = 400

/** Bytes of memory of a piece of text and of the string that joins it to the others, without its characters. */
const PIECE = 80

/** Bytes of memory of a reaction, which has at most 64 code points. */
export const REACTION = 350

/** Returns the change that leads to an entry, whatever it was before. */
export function wholeChange (entry: Entry): MergedChange {
  return { position: entry.position, revision: entry.revision!, whole: entry }
}

/**
 * Returns the changes before a change, merged with it.
 * @param before of the same entry; undefined for none. MUST NOT be used afterwards: its reactions are reused, because a copy for each
 *   of many reactions would take quadratic time
 */
export function merge (before: MergedChange | undefined, changed: Changed): MergedChange {
  const { position, change: { revision }, at } = changed
  if (changed.entry !== undefined) return { position, revision, whole: changed.entry }
  const { made } = changed
  if ('delete' in made) return { position, revision, deleted: true }
  if (before?.whole !== undefined) return { position, revision, whole: { ...changedEntry(before.whole, changed), revision } }
  if ('edit' in made) {
    const { body, data } = made.edit
    return { ...before, position, revision, edit: { body, data, at }, appended: undefined }
  }
  if ('append' in made) return { ...before, position, revision, appended: joined(before?.appended, made) }
  if ('end' in made) return { ...before, position, revision, ended: true, unfinished: made.unfinished }
  const { count } = changed as Extract<Changed, { readonly count: number }>
  const reactions = before?.reactions as Map<string, number> | undefined ?? new Map<string, number>()
  return { ...before, position, revision, reactions: reactions.set(made.react, count) }
}

/** Returns a whole entry with a change, except for a deletion. */
function changedEntry (entry: Entry, changed: Changed): Entry {
  const made = changed.made as Exclude<Change, { readonly delete: true }>
  if ('edit' in made) return { ...entry, body: made.edit.body, data: made.edit.data, editedAt: changed.at }
  if ('append' in made) return { ...entry, body: entry.body as string + made.append }
  if ('end' in made) return { ...entry, streaming: undefined, unfinished: made.unfinished }
  const { count } = changed as Extract<Changed, { readonly count: number }>
  return { ...entry, reactions: withCount(entry.reactions ?? [], made.react, count) }
}

/** Returns the text of an append after the text before it. Takes linear time for many, because V8 joins strings when they are read. */
function joined (before: AppendedText | undefined, { append, at }: Extract<Change, { readonly append: string }>): AppendedText {
  const end = at + codePoints(append)
  return before === undefined ? { at, end, text: append, pieces: 1 } : { at: before.at, end, text: before.text + append, pieces: before.pieces + 1 }
}

/** Returns whether an append can be merged with the changes before it: its text follows theirs. */
export function follows ({ whole, edit, appended, ended }: MergedChange, { at }: { readonly at: number }): boolean {
  if (whole !== undefined) return whole.streaming === true
  return edit === undefined && ended === undefined && (appended === undefined || appended.end === at)
}

/** Returns a change without its content. */
export function reactionsOf ({ position, revision, whole, reactions }: MergedChange): MergedChange {
  return { position, revision, reactions: whole === undefined ? reactions : new Map(whole.reactions?.map(({ reaction, count }) => [reaction, count])) }
}

/** Returns the reactions of the member for whom an entry was read. */
export function ownReactions ({ reactions = [] }: Entry): OwnReactions {
  return new Map(reactions.map(({ reaction, mine }) => [reaction, mine === true]))
}

/** Returns the reaction of a change if a member made it; else undefined. */
export function ownReaction (changed: Changed, memberId: string): OwnReactions | undefined {
  if (changed.made === undefined || !('react' in changed.made) || changed.by !== memberId) return undefined
  return new Map([[changed.made.react, changed.made.on]])
}

/** Returns the bytes of memory of a merged change. */
export function mergedCost ({ whole, edit, appended, reactions }: MergedChange): number {
  const content = whole ?? edit
  return CHANGE + (content === undefined ? 0 : entryCost({ body: content.body, data: content.data, from: null })) +
    (appended === undefined ? 0 : PIECE * appended.pieces + 2 * appended.text.length) +
    REACTION * (whole?.reactions?.length ?? reactions?.size ?? 0)
}

/** Returns the maximum bytes of memory of a change that a store delivered. */
export function changedCost (changed: Changed): number {
  const { made } = changed
  return mergedCost(merge(undefined, changed)) + (made !== undefined && 'ended' in changed ? entryCost(changed.ended) : 0)
}

/** Returns the reactions of an entry with another count of one of them. */
function withCount (reactions: readonly Reaction[], reaction: string, count: number): readonly Reaction[] {
  if (count === 0) return reactions.filter((each) => each.reaction !== reaction)
  if (!reactions.some((each) => each.reaction === reaction)) return [...reactions, { reaction, count }]
  return reactions.map((each) => each.reaction === reaction ? { ...each, count } : each)
}
