import { applyChange, type Change, type ClientRoom, type Message } from '../client/node.ts'
import type { Output } from './output.ts'

/** Number of the newest printed messages that are kept, to print what a change changes, and of the newest ones whose text grows. */
const KEPT = 1_000

/** Prints the messages of a room and their changes. Prints a streamed message once, when its text has ended. */
export function printRoom (room: ClientRoom, output: Output): void {
  const printed = new Map<string, Message>()
  const streaming = new Map<string, Message>()

  function print (message: Message) {
    if (message.streaming === true) return keep(streaming, message)
    output.message(message)
    keep(printed, message)
  }

  function change (change: Change) {
    const growing = streaming.get(change.position)
    if (growing !== undefined) return grow(applyChange(growing, change))
    const before = printed.get(change.position)
    if (before === undefined) return output.change(change)
    const after = applyChange(before, change)
    printed.set(change.position, after)
    output.change(change, before, after)
  }

  function grow (message: Message) {
    streaming.delete(message.position)
    if (message.deleted !== true) print(message)
  }

  room.on('joined', ({ again, complete, messages, changes = [] }) => {
    if (again && !complete) output.status('Messages may be missing')
    if (!complete) {
      printed.clear()
      streaming.clear()
    }
    changes.forEach(change)
    messages.forEach(print)
  })
  room.on('message', print)
  room.on('changed', change)
}

function keep (messages: Map<string, Message>, message: Message): void {
  messages.set(message.position, message)
  if (messages.size > KEPT) messages.delete(messages.keys().next().value!)
}
