import type { ReadCursor } from '../../drivers/read-position.ts'
import type { ReadPosition } from '../../store.ts'

/**
 * What the chat passes to the nodes of a member through `send` of the roster. direct: JSON text of the app. read: read positions of the
 * member that were stored. forget: the room whose read position is removed. known: the one that the node knew; undefined if there was none.
 * upTo: the receiver keeps a later position; undefined: it removes the one that it knows. isLeft: the app has removed the member from the
 * room. node: the id of the node that sends the message.
 */
export type MemberMessage =
  | { readonly direct: string }
  | { readonly read: readonly ReadPosition[], readonly node: string }
  | { readonly forget: string, readonly known?: ReadCursor | undefined, readonly upTo?: ReadCursor | undefined, readonly isLeft?: true | undefined, readonly node: string }

const [START, END] = ['{"direct":', '}']

/** Returns the text for `send`. The JSON of the app is inside it, so that the app can't forge another kind of message. */
export function encodeMemberMessage (message: MemberMessage): string {
  return 'direct' in message ? START + message.direct + END : JSON.stringify(message)
}

/** Returns the message of a text that `encodeMemberMessage` has returned; undefined for another text, which another version has sent. */
export function parseMemberMessage (text: string): MemberMessage | undefined {
  // Data of the app is passed on as JSON.
  if (text.startsWith(START)) return { direct: text.slice(START.length, -END.length) }
  return text.startsWith('{"read":') || text.startsWith('{"forget":') ? JSON.parse(text) as MemberMessage : undefined
}
