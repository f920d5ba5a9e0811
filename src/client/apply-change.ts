import { codePoints, indexOfCodePoint } from '../code-points.ts'
import type { Change, Message, Reaction } from '../messages.ts'
import type * as typed from './app-data.ts'

/**
 * Returns the message as it is after a change. Apply the changes of a message in the order in which they arrive, whatever their
 * revisions. Applying one twice does no harm. The position of the change must be that of the message.
 */
export function applyChange<Data = unknown> (message: typed.Message<Data>, change: typed.Change<Data>): typed.Message<Data>
export function applyChange (message: Message, change: Change): Message {
  const { revision, text, data, editedAt, deleted, reactions, appended, ended, streaming, unfinished, whole } = change
  if (message.deleted === true) return message
  const after: Message = { ...message, revision }
  if (deleted === true) {
    for (const name of ['bytes', 'data', 'editedAt', 'streaming', 'unfinished', 'reactions'] as const) delete after[name]
    return { ...after, text: '', deleted }
  }
  if (text !== undefined) {
    after.text = text
    replace(after, 'data', data)
    replace(after, 'editedAt', editedAt)
  }
  // A message that is no longer streaming is newer than the change.
  if (appended !== undefined && message.streaming === true) append(after, message, appended)
  if (ended === true || whole === true) {
    replace(after, 'streaming', ended === true ? undefined : streaming)
    replace(after, 'unfinished', unfinished)
  }
  if (reactions !== undefined) {
    const counted = merge(message.reactions ?? [], reactions, whole === true)
    replace(after, 'reactions', counted.length === 0 ? undefined : counted)
  }
  return after
}

/** Lengths of growing texts in code points, by their message. Counting those of 64 KiB took 230 µs for each piece. */
const lengths = new WeakMap<Message, number>()

/** Cuts the text of a message to a number of code points, and adds more text. Leaves a text that is shorter unchanged. */
function append (after: Message, before: Message, { at, text: more }: NonNullable<Change['appended']>): void {
  const { text = '' } = before
  if (lengths.get(before) === at) after.text = text + more
  else {
    // Compared first, because the index takes as long as `at` is large.
    const index = at > text.length ? at : indexOfCodePoint(text, at)
    if (index > text.length) return
    after.text = text.slice(0, index) + more
  }
  lengths.set(after, at + codePoints(more))
}

/** Sets a property, or removes it for undefined. */
function replace<Name extends keyof Message> (message: Message, name: Name, value: Message[Name] | undefined): void {
  if (value === undefined) delete message[name]
  else message[name] = value
}

/** Returns the reactions of a message after a change. @param all whether the changed ones are all that there are */
function merge (before: readonly Reaction[], changed: readonly Reaction[], all: boolean): Reaction[] {
  const known = new Map(before.map((reaction) => [reaction.reaction, reaction]))
  const after = new Map(all ? [] : known)
  for (const { reaction, count, mine = known.get(reaction)?.mine } of changed) {
    if (count === 0) after.delete(reaction)
    else after.set(reaction, { reaction, count, ...mine === true && { mine } })
  }
  return [...after.values()]
}

/** Returns the messages after changes of some of them. Ignores changes of other messages. */
export function applyChanges (messages: readonly Message[], changes: readonly Change[]): Message[] {
  const byPosition = new Map(messages.map((message) => [message.position, message]))
  for (const change of changes) {
    const message = byPosition.get(change.position)
    if (message !== undefined) byPosition.set(change.position, applyChange(message, change))
  }
  return [...byPosition.values()]
}
