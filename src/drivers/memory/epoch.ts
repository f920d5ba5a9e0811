import { randomBytes } from 'node:crypto'
import { formatPosition, parsePosition } from '../position.ts'
import { formatRevision, parseRevision } from '../revision.ts'
import type { NumberedChange } from './changes.ts'
import type { ChangeCursor, Revision } from '../../change.ts'
import type { Cursor, Position } from '../../store.ts'

/** Names the entries and changes of one log. Times are ms since the log began. A name of another epoch is never honoured. */
export class Epoch {
  readonly #name = randomBytes(6).toString('base64url').replaceAll('-', '.')
  /** When the epoch began, ms since 1970. */
  readonly startedAt = Date.now()

  /** Returns the time now. */
  get now (): number { return Date.now() - this.startedAt }

  positionOf (offset: number, at: number): Position { return formatPosition(this.#name, this.startedAt + at, offset) }

  cursorOf (offset: number, at: number): Cursor { return { offset, position: this.positionOf(offset, at) } }

  changeCursorOf ({ number, at }: NumberedChange): ChangeCursor {
    return { number, revision: formatRevision(this.#name, this.startedAt + at, number) }
  }

  /** Returns the parts of a position of this epoch; those of no entry for any other string. */
  entryOf (position: Position): { readonly offset: number, readonly at: number } {
    const { epoch, at = NaN, offset = NaN } = parsePosition(position) ?? {}
    return epoch === this.#name ? { offset, at: at - this.startedAt } : { offset: NaN, at: NaN }
  }

  /** Returns the parts of a revision of this epoch; those of no change for any other string. */
  changeOf (revision: Revision): NumberedChange {
    const { epoch, at = NaN, number = NaN } = parseRevision(revision) ?? {}
    return epoch === this.#name ? { number, at: at - this.startedAt } : { number: NaN, at: NaN }
  }
}
