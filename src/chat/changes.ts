import type { ChatData } from '../chat-types.ts'
import { assertPosition, assertProperties, propertyErrors } from '../argument-checks.ts'
import { storedChange, type ChatChange } from '../chat-change.ts'
import { appContent, assertSize, contentLimit, type Content } from '../content.ts'
import { meaningOf } from '../error-meaning.ts'
import { InvalidArgument } from '../errors.ts'
import { inContext, type Hooks } from '../hooks.ts'
import { ErrorCode } from '../protocol.ts'
import { MAX_REACTION, reactionText } from '../request-bounds.ts'
import { amendEntry } from '../rooms/peer/change.ts'
import { entryPosition } from '../rooms/batch/composed-position.ts'
import { assertMemberId } from './member-id.ts'
import type { PostContext } from '../rooms/peer/post.ts'
import type { Position } from '../store.ts'

/** The new content of an edited message. */
export interface Edit {
  readonly text: string
  /** any JSON value, for v1 clients; without it, the message has none afterwards */
  readonly data?: ChatData | undefined
}

/** Options of `react`. */
export interface ReactOptions {
  /** id of the member that reacts, for example of a bot */
  readonly by: string
  /** whether the reaction is added or removed; default true */
  readonly on?: boolean | undefined
}

/** Selects the messages that `deleteMessages` deletes. */
export interface MessagesOfMember {
  /** id of the sender */
  readonly member: string
  /** default: all rooms */
  readonly room?: string | undefined
}

/** Size of the pages that `deleteMessages` reads. The messages of a page are deleted together: a store may flush once for all. */
const PAGE = { limit: 100, maxBytes: 256 * 1024, use: false } as const

/** Changes messages for the app. Each call checks all its arguments before it changes anything. */
export class ChatChanges {
  readonly #context: PostContext
  readonly #onChange: Hooks['onChange']

  constructor (context: PostContext, onChange: Hooks['onChange']) {
    this.#context = context
    this.#onChange = onChange
  }

  async edit (room: string, position: Position, edit: Edit): Promise<void> {
    assertPosition('position', position)
    assertProperties('edit', edit, ['text', 'data'])
    const { text, data } = edit
    const content = appContent({ text, data }, propertyErrors('edit'))
    assertSize(content, null, contentLimit(this.#context.limits))
    await this.#amend(room, position, null, { type: 'edit', text }, content)
  }

  async delete (room: string, position: Position): Promise<void> {
    assertPosition('position', position)
    await this.#amend(room, position, null, { type: 'delete' })
  }

  async react (room: string, position: Position, reaction: string, options: ReactOptions): Promise<void> {
    assertPosition('position', position)
    if (typeof reaction !== 'string' || !reactionText.test(reaction)) {
      throw new InvalidArgument('reaction', `must be a string of 1 to ${MAX_REACTION} code points, without control characters and lone surrogates`)
    }
    assertProperties('options', options, ['by', 'on'])
    const { by, on = true } = options
    assertMemberId('options.by', by)
    if (typeof on !== 'boolean') throw new InvalidArgument('options.on', 'must be true or false')
    await this.#amend(room, position, by, { type: 'react', reaction, on })
  }

  /** @param rooms pages of room names */
  async deleteMessages (member: string, rooms: AsyncIterable<readonly string[]> | Iterable<readonly string[]>): Promise<number> {
    let count = 0
    for await (const names of rooms) {
      for (const room of names) count += await this.#deleteMessagesIn(room, member)
    }
    return count
  }

  async #deleteMessagesIn (room: string, member: string): Promise<number> {
    const { store } = this.#context
    let count = 0
    let before: Position | undefined
    for (let more = true; more;) {
      const page = await store.read(room, before === undefined ? PAGE : { before, ...PAGE })
      // The rest of the messages was trimmed, or the room was cleared.
      if (!page.complete) break
      const own = page.entries.filter(({ from, deleted }) => from?.id === member && deleted !== true)
      for (const isDeleted of await Promise.all(own.map(({ position }) => this.#deleteIfKept(room, position)))) if (isDeleted) count++
      before = page.entries[0]?.position
      more = page.more && before !== undefined
    }
    return count
  }

  /** Returns whether this call deleted the message. It may be trimmed, or deleted by another one, meanwhile. */
  async #deleteIfKept (room: string, position: Position): Promise<boolean> {
    try {
      return !await this.#amend(room, position, null, { type: 'delete' })
    } catch (error) {
      if (meaningOf(error)?.wireCode === ErrorCode.notKept) return false
      throw error
    }
  }

  /** Resolves with whether nothing had to be changed. */
  async #amend (room: string, position: Position, by: string | null, change: ChatChange, content?: Content): Promise<boolean> {
    const hooks = this.#onChange === undefined ? {} : inContext({ onChange: this.#onChange })
    // It may be that of a message to a client.
    return (await amendEntry(this.#context, hooks, room, entryPosition(position), { by, change: storedChange(change, content) })).again
  }
}
