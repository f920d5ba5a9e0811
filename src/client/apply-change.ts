import type { Change, Message, Reaction } from '../messages.ts'

/**
 * Returns the message as it is after a change. Apply the changes of a message in the order in which they arrive, whatever their
 * revisions. Applying one twice does no harm. The position of the change must be that of the message.
 */
export function applyChange (message: Message, change: Change): Message {
  const { revision, text, data, editedAt, deleted, reactions } = change
  if (message.deleted === true) return message
  const after: Message = { ...message, revision }
  if (deleted === true) {
    for (const name of ['bytes', 'data', 'editedAt', 'reactions'] as const) delete after[name]
    return { ...after, text: '', deleted }
  }
  if (text !== undefined) {
    after.text = text
    replace(after, 'data', data)
    replace(after, 'editedAt', editedAt)
  }
  if (reactions !== undefined) {
    const counted = merge(message.reactions ?? [], reactions, change.whole === true)
    replace(after, 'reactions', counted.length === 0 ? undefined : counted)
  }
  return after
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
