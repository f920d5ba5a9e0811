import type { Revision } from '../change.ts'
import type { Position } from '../store.ts'

/** The entries that a member receives when it joins. */
export interface JoinQuery {
  /** maximum number of newest entries */
  readonly limit: number
  /** maximum bytes of the newest entries */
  readonly maxBytes: number
  /** position to resume from; replaces the newest entries if the store guarantees that none is missing */
  readonly after?: Position | undefined
  /** revision to resume from, with `after`; without it, no changes of earlier entries are sent */
  readonly revision?: Revision | undefined
  /** resolves when the read position of the member is known; undefined if it is known already. The page is read after that */
  readonly readKnown?: Promise<void> | undefined
}
