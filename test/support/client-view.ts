import { applyChange, type Change, type ClientRoom, type Message } from '../../src/client/node.ts'

/** What an app shows of a room: the messages that a client receives, in order, with their changes applied as PROTOCOL.md requires. */
export class ClientView {
  /** By position. */
  readonly messages = new Map<string, Message>()
  /** Messages of pages of history, with the changes since, by position. */
  readonly older = new Map<string, Message>()
  /** Number of messages that arrived a second time. */
  doubled = 0
  /** Number of `joined` with `complete: false`. */
  incomplete = 0
  /** @param onChange called after each event */
  constructor (room: ClientRoom, onChange: () => void = () => {}) {
    room.on('joined', ({ again, complete, messages, changes = [], oldest }) => {
      if (again && !complete) {
        this.incomplete++
        this.messages.clear()
        this.older.clear()
      }
      for (const change of changes) this.#change(change)
      if (oldest !== undefined) this.#discardBefore(oldest)
      for (const message of messages) this.#add(message)
      onChange()
    })
    room.on('message', (message) => {
      this.#add(message)
      onChange()
    })
    room.on('changed', (change) => {
      this.#change(change)
      onChange()
    })
  }

  /** Adds a page of history. */
  addPage (messages: readonly Message[]): void {
    for (const message of messages) this.older.set(message.position, message)
  }

  #add (message: Message): void {
    if (this.messages.has(message.position)) this.doubled++
    this.messages.set(message.position, message)
  }

  #change (change: Change): void {
    for (const messages of [this.messages, this.older]) {
      const message = messages.get(change.position)
      if (message !== undefined) messages.set(change.position, applyChange(message, change))
    }
  }

  #discardBefore (oldest: string): void {
    if (!this.messages.has(oldest)) return
    for (const position of this.messages.keys()) {
      if (position === oldest) return
      this.messages.delete(position)
    }
  }
}

/** Returns the comparable part of messages: without their type and the revision, and with sorted reactions. */
export function states (messages: Iterable<Message>): object[] {
  return Array.from(messages, ({ position, text, bytes, data, editedAt, deleted, streaming, unfinished, reactions = [] }) => ({
    position,
    text,
    bytes,
    data,
    editedAt,
    deleted,
    streaming,
    unfinished,
    reactions: reactions.map(({ reaction, count, mine = false }) => ({ reaction, count, mine })).sort((a, b) => a.reaction < b.reaction ? -1 : 1)
  }))
}

/** Resolves with all kept messages of a room, oldest first, read page by page. @param newest the messages of its `joined` */
export async function wholeHistory (room: ClientRoom, newest: readonly Message[]): Promise<Message[]> {
  const messages = [...newest]
  for (let more = messages.length > 0; more;) {
    const page = await room.history(messages[0]!.position, 1_000)
    messages.unshift(...page.messages)
    more = page.more
  }
  return messages
}
