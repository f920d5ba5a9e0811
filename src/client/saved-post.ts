import type { ClientMessage } from '../protocol.ts'
import type { Retyped } from './app-data.ts'
import type { Post } from './requests/pending-request.ts'

/**
 * A post that waits for its acknowledgement: the message to the server, and what a later client needs to send it. It is a JSON value.
 * member: id of the member that made the post; it is never sent as another member. at: time of the post by the clock of its device,
 * ISO 8601. since: position in the room before the post was first sent; absent if it was never sent
 */
export type SavedPost = Extract<ClientMessage, { type: 'post' }> & { readonly member: string, readonly at: string }

/** A saved post of an earlier client that is being sent. post: its outcome, as of `ClientRoom.post`; its rejection may be ignored */
export type RestoredPost<Data = unknown> = Retyped<SavedPost, { data: Data }> & { readonly post: Post }
