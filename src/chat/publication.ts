import { assertProperties, propertyErrors } from '../argument-checks.ts'
import type { ChatData } from '../chat-types.ts'
import { appContent, assertSize } from '../content.ts'
import { InvalidArgument } from '../errors.ts'
import { checkMember } from '../rooms/peer/member-check.ts'
import { randomId } from '../rooms/random-id.ts'
import type { Draft, Member } from '../store.ts'

/** A message that the app posts in a room. */
export interface Publication {
  readonly text: string
  /** the sender, by the rules for a member's id and name; default none */
  readonly from?: Member | undefined
  /** any JSON value, for v1 clients */
  readonly data?: ChatData | undefined
}

/** Sender and data of a message whose text is written to a stream. */
export type WriteStreamOptions = Omit<Publication, 'text'>

/** Returns the draft of a publication. @param limit bytes @throws InvalidArgument, PostTooLarge */
export function draftOf (publication: Publication, limit: number): Draft {
  assertProperties('publication', publication, ['text', 'from', 'data'])
  const { text, from, data } = publication
  if (typeof text !== 'string') throw new InvalidArgument('publication.text', 'must be a string')
  const draft = { from: senderOf('publication.from', from), ...appContent({ text, data }, propertyErrors('publication')) }
  assertSize(draft, draft.from, limit)
  return draft
}

/** Returns the draft of a message whose text will be written to a stream. @param limit bytes @throws InvalidArgument, PostTooLarge */
export function streamingDraftOf (options: WriteStreamOptions, limit: number): Draft {
  assertProperties('options', options, ['from', 'data'])
  const { from, data } = options
  const content = appContent({ text: '', data }, propertyErrors('options'))
  const draft: Draft = { key: randomId(), from: senderOf('options.from', from), ...content, streaming: true }
  assertSize(content, draft.from, limit)
  return draft
}

/** Checks the sender: every client rejects a message with an invalid sender, so all of them would reconnect in a loop. */
function senderOf (argument: string, from: unknown): Member | null {
  if (from === undefined || from === null) return null
  assertProperties(argument, from, ['id', 'name'])
  const { id, name } = from as Record<string, unknown>
  return checkMember(id, name, propertyErrors(argument))
}
