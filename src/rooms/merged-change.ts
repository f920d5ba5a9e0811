import type { Changed, Reaction, Revision } from '../change.ts'
import { entryCost } from '../heap-cost.ts'
import type { Entry, Position } from '../store.ts'

/** Which reactions of one member were added (`true`) and removed, by their text. */
export type OwnReactions = ReadonlyMap<string, boolean>

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
  /** Counts of the reactions that changed. */
  readonly reactions?: ReadonlyMap<string, number> | undefined
}

/** Bytes of memory of a change and of what it is merged into. */
const CHANGE = 400

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
  const whole = before?.whole
  if ('edit' in made) {
    const { body, data } = made.edit
    if (whole !== undefined) return { position, revision, whole: { ...whole, body, data, editedAt: at, revision } }
    return { position, revision, edit: { body, data, at }, reactions: before?.reactions }
  }
  const { count } = changed as Extract<Changed, { readonly count: number }>
  if (whole !== undefined) {
    return { position, revision, whole: { ...whole, reactions: withCount(whole.reactions ?? [], made.react, count), revision } }
  }
  const reactions = before?.reactions as Map<string, number> | undefined ?? new Map<string, number>()
  return { position, revision, edit: before?.edit, reactions: reactions.set(made.react, count) }
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
export function mergedCost ({ whole, edit, reactions }: MergedChange): number {
  const content = whole ?? edit
  return CHANGE + (content === undefined ? 0 : entryCost({ body: content.body, data: content.data, from: null })) +
    REACTION * (whole?.reactions?.length ?? reactions?.size ?? 0)
}

/** Returns the maximum bytes of memory of a change that a store delivered. */
export function changedCost (changed: Changed): number { return mergedCost(merge(undefined, changed)) }

/** Returns the reactions of an entry with another count of one of them. */
function withCount (reactions: readonly Reaction[], reaction: string, count: number): readonly Reaction[] {
  if (count === 0) return reactions.filter((each) => each.reaction !== reaction)
  if (!reactions.some((each) => each.reaction === reaction)) return [...reactions, { reaction, count }]
  return reactions.map((each) => each.reaction === reaction ? { ...each, count } : each)
}
