import { assertProperties, propertyErrors } from '../argument-checks.ts'
import { appContent, assertSize } from '../content.ts'
import { InvalidArgument } from '../errors.ts'
import { checkMember } from '../rooms/member-check.ts'
import type { Draft, Member } from '../store.ts'

/** A message that the app posts in a room. */
export interface Publication {
  readonly text: string
  /** the sender, by the rules for a member's id and name; default none */
  readonly from?: Member | undefined
  /** any JSON value, for v1 clients */
  readonly data?: unknown
}

/** Returns the draft of a publication. @param limit bytes @throws InvalidArgument, PostTooLarge */
export function draftOf (publication: Publication, limit: number): Draft {
  assertProperties('publication', publication, ['text', 'from', 'data'])
  const { text, from, data } = publication
  if (typeof text !== 'string') throw new InvalidArgument('publication.text', 'must be a string')
  const draft = { from: senderOf(from), ...appContent({ text, data }, propertyErrors('publication')) }
  assertSize(draft, draft.from, limit)
  return draft
}

/** Checks the sender: every client rejects a message with an invalid sender, so all of them would reconnect in a loop. */
function senderOf (from: unknown): Member | null {
  if (from === undefined || from === null) return null
  assertProperties('publication.from', from, ['id', 'name'])
  const { id, name } = from as Record<string, unknown>
  return checkMember(id, name, propertyErrors('publication.from'))
}
