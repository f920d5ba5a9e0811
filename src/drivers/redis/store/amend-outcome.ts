import { codePoints } from '../../../code-points.ts'
import { EntryDeleted, Forbidden, InvalidChange, NotKept, ReusedKey, StalePost, StoreUnavailable, StreamEnded, TooManyReactions } from '../../../errors.ts'
import { MAX_STREAM_BYTES } from '../../../request-bounds.ts'
import { checkAppend } from '../../streamed-text.ts'
import { cursorOfChange } from './record.ts'
import type { Amended, Change } from '../../../change.ts'

/** The errors of rejected changes, by the outcome. */
const rejections: Readonly<Record<string, (room: string) => Error>> = {
  reused: () => new ReusedKey(),
  stale: () => new StalePost(),
  notKept: () => new NotKept(),
  notOwn: (room) => new Forbidden('change messages of others', room),
  deleted: () => new EntryDeleted(),
  binary: () => new InvalidChange('a binary message has no text'),
  streaming: () => new InvalidChange('a message can be edited only after its streaming has ended'),
  ended: () => new StreamEnded(),
  tooLong: () => new InvalidChange(`a streamed text has at most ${MAX_STREAM_BYTES} bytes`),
  tooMany: () => new TooManyReactions(),
  failed: () => Object.assign(new StoreUnavailable(), { cause: new Error('Redis holds invalid data of this entry') })
}

/** Returns the result of a change whose outcome the amend script returned. @throws why it was rejected */
export function amendedOf (outcome: string, change: Change, epoch: string, room: string): Amended {
  const rejection = rejections[outcome]
  if (rejection !== undefined) throw rejection(room)
  if (outcome.startsWith('length ')) throw new InvalidChange(`the text has ${outcome.slice('length '.length)} code points`)
  const kind = outcome[0]
  if (kind === '?') checkRepeat(outcome, change)
  const again = kind === '=' || kind === '?'
  return { ...cursorOfChange(epoch, again ? outcome.slice(1) : outcome), again }
}

/** Checks whether a text has an append already. The script returned the text, because Redis doesn't count code points. */
function checkRepeat (outcome: string, change: Change): void {
  const [, isStreaming, content = ''] = /^\?\d+ \d+ ([01]) (.*)$/s.exec(outcome) ?? []
  const [body] = JSON.parse(`[${content}]`) as [string]
  checkAppend(body, codePoints(body), isStreaming === '1', change as Extract<Change, { readonly append: string }>)
}
