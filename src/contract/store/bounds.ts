import type { Store } from '../../store.ts'
import type { Subtest } from '../suite.ts'

/** Bounds that the suite sets on a store. */
export interface StoreBounds {
  /** Entries that a room keeps. A store may keep more for a while, but MUST trim a room that receives further entries. */
  readonly historyEntries: number
  /** ms after which an entry is no longer returned; `Infinity` unless the store has the capability `historyAge` */
  readonly historyAge: number
  /** ms that a key is remembered at least. A store MUST forget keys of trimmed entries some time after it. */
  readonly dedupWindow: number
}

/** Breaks the connections by which the stores on the data of this name receive publications. */
export type Disconnect = (name: string) => Promise<void>

export type StoreSubtest = Subtest<Store, StoreBounds>
