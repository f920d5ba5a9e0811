import type { ChatPage } from '../../src/index.ts'
import type { Message } from './v1-client.ts'

type Changed = Omit<Message<'changed'>, 'type' | 'room'>
type Content = Omit<Message<'message'>, 'type'>

/** A message as its viewer sees it. */
export interface Seen {
  readonly text: string
  readonly data: unknown
  readonly isDeleted: boolean
  readonly isStreaming: boolean
  readonly isUnfinished: boolean
  readonly reactions: ReadonlyMap<string, { count: number, mine: boolean }>
}

/** What a client that follows the protocol knows of a room: its messages by position, and where it can resume. */
export class RoomView {
  position = ''
  revision = ''
  readonly #messages: Map<string, Seen>

  constructor (other?: RoomView) {
    this.#messages = new Map(other === undefined ? [] : other.#messages)
    this.position = other?.position ?? ''
    this.revision = other?.revision ?? ''
  }

  receive (message: Message): void {
    if (message.type === 'joined') this.#join(message)
    if (message.type === 'message') {
      this.#messages.set(message.position, seen(message))
      this.position = message.position
    }
    if (message.type === 'changed') {
      this.#change(message)
      this.revision = message.revision
    }
  }

  /** Returns the messages as plain values. @param withMine whether to tell the viewer's own reactions apart */
  state (withMine = true): unknown {
    return [...this.#messages].map(([position, { reactions, ...rest }]) => ({
      position, ...rest, reactions: [...reactions].map(([reaction, { count, mine }]) => withMine ? [reaction, count, mine] : [reaction, count]).sort()
    }))
  }

  #join ({ messages, complete, position, revision = '', changes = [], oldest }: Message<'joined'>): void {
    if (!complete) this.#messages.clear()
    for (const change of changes) this.#change(change)
    for (const message of messages) this.#messages.set(message.position, seen(message))
    if (oldest !== undefined && this.#messages.has(oldest)) {
      for (const position of this.#messages.keys()) {
        if (position === oldest) break
        this.#messages.delete(position)
      }
    }
    this.position = position
    this.revision = revision
  }

  #change ({ position, text, data, deleted, appended, ended, streaming, unfinished, reactions = [], whole }: Changed): void {
    const before = this.#messages.get(position)
    if (before === undefined || before.isDeleted) return
    if (deleted === true) {
      this.#messages.set(position, { text: '', data: undefined, isDeleted: true, isStreaming: false, isUnfinished: false, reactions: new Map() })
      return
    }
    const after = new Map(whole === true ? [] : before.reactions)
    for (const { reaction, count, mine = before.reactions.get(reaction)?.mine ?? false } of reactions) {
      if (count === 0) after.delete(reaction)
      else after.set(reaction, { count, mine })
    }
    this.#messages.set(position, {
      ...before,
      ...text !== undefined && { text, data },
      ...appended !== undefined && before.isStreaming && { text: grown(before.text, appended) },
      ...(ended === true || whole === true) && { isStreaming: streaming === true, isUnfinished: unfinished === true },
      reactions: after
    })
  }
}

/** Returns a text with what is appended to it. @throws if text is missing between them */
function grown (text: string, { at, text: more }: NonNullable<Changed['appended']>): string {
  const points = [...text]
  if (at > points.length) throw new Error(`text at ${at} of a text of ${points.length} code points`)
  return points.slice(0, at).join('') + more
}

function seen ({ text = '', data, deleted, streaming, unfinished, reactions = [] }: Content): Seen {
  const flags = { isDeleted: deleted === true, isStreaming: streaming === true, isUnfinished: unfinished === true }
  return { text, data, ...flags, reactions: new Map(reactions.map(({ reaction, count, mine = false }) => [reaction, { count, mine }])) }
}

/** Returns the state of a room as `RoomView.state(false)` does. */
export function stateOf ({ entries }: ChatPage): unknown {
  return entries.map(({ position, text = '', data, deleted, streaming, unfinished, reactions = [] }) => ({
    position, text, data, isDeleted: deleted === true, isStreaming: streaming === true, isUnfinished: unfinished === true, reactions: reactions.map(({ reaction, count }) => [reaction, count]).sort()
  }))
}
