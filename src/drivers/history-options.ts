import { limit, ttl, type Checks } from '../checks.ts'
import { InvalidOption } from '../errors.ts'

/** Bounds of the history of one room, which all backends have. Each comment ends with the default. */
export interface HistoryOptions {
  /** entries kept for each room; 1,000 */
  readonly historyEntries?: number | undefined
  /** bytes kept for each room, as the backend charges them; 4 MiB */
  readonly historyBytes?: number | undefined
  /** ms after which an entry is no longer returned; it is removed some time later; Infinity */
  readonly historyAge?: number | undefined
  /** ms that the id of a post or an edit is remembered at least, unless a room has more than ten times `historyEntries` of them; 5 min */
  readonly dedupWindow?: number | undefined
}

/** Maximum keys, and maximum changes, that a room remembers, as a multiple of `historyEntries`. */
export const KEYS_PER_ENTRY = 10

/** The bytes that a room keeps of reactions, as a share of `historyBytes`, which doesn't include them. */
export const REACTIONS_SHARE = 1 / 4

export type HistoryBounds = { readonly [K in keyof HistoryOptions]-?: number }

/** Rules for the bounds of the history, and for `roomTtl`, whose default depends on the backend. */
export const historyChecks: Checks<HistoryOptions & { readonly roomTtl?: number | undefined }> = {
  historyEntries: limit,
  historyBytes: limit,
  historyAge: limit,
  dedupWindow: ttl(0),
  roomTtl: limit
}

/** Returns the bounds with their defaults. */
export function historyBounds ({
  historyEntries = 1_000, historyBytes = 4 * 1024 * 1024, historyAge = Infinity, dedupWindow = 5 * 60 * 1_000
}: HistoryOptions): HistoryBounds {
  return { historyEntries, historyBytes, historyAge, dedupWindow }
}

/** Rejects a bound of all rooms that one room exceeds. @throws InvalidOption */
export function checkStoreBytes (historyBytes: number, storeBytes: number): void {
  if (historyBytes === Infinity || historyBytes <= storeBytes) return
  throw new InvalidOption('storeBytes',
    `is ${storeBytes}, too little for historyBytes, which is ${historyBytes}: raise the one or lower the other`)
}
