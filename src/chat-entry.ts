import type { Reaction, Revision } from './change.ts'
import type { ChatData } from './chat-types.ts'
import type { Cursor, Entry, Member } from './store.ts'

/** The content of a message: text, or the bytes of a plain client's binary message. */
export type MessageContent =
  | { readonly text: string, readonly bytes?: undefined, readonly data?: ChatData }
  | { readonly bytes: Uint8Array, readonly text?: undefined, readonly data?: ChatData }

/** An entry as the app receives it, with its `data` parsed. */
export type ChatEntry = MessageContent & Cursor & {
  /** time of storage in ms since 1970, by the store's clock */
  readonly at: number
  /** `null` for a message of the app itself */
  readonly from: Member | null
  /** of its last change; absent if it never changed, as are the properties below */
  readonly revision?: Revision
  /** time of its last edit, in ms since 1970 */
  readonly editedAt?: number
  /** the content was removed: `text` is empty */
  readonly deleted?: true
  /** the text still grows */
  readonly streaming?: true
  /** the text was not completed */
  readonly unfinished?: true
  /** in the order of their first use */
  readonly reactions?: readonly Reaction[]
}

/** Returns content as the app receives it. */
export function messageContent (body: string | Uint8Array, data: unknown): MessageContent {
  const content = typeof body === 'string' ? { text: body } : { bytes: body }
  return data === undefined ? content : { ...content, data }
}

/** Returns an entry as the app receives it. */
export function chatEntry (stored: Entry): ChatEntry {
  const { offset, position, at, from, body, data, revision, editedAt, deleted, streaming, unfinished, reactions } = stored
  const entry = { offset, position, at, from, ...messageContent(body, data === undefined ? undefined : JSON.parse(data)) }
  if (revision === undefined && streaming === undefined) return entry
  return {
    ...entry,
    ...revision !== undefined && { revision },
    ...editedAt !== undefined && { editedAt },
    ...deleted !== undefined && { deleted },
    ...streaming !== undefined && { streaming },
    ...unfinished !== undefined && { unfinished },
    ...reactions !== undefined && { reactions }
  }
}
