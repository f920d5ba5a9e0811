import type { Store } from '../store.ts'
import type { Test } from './runner.ts'
import { appendPromises } from './store/append.ts'
import type { Disconnect, StoreBounds, StoreSubtest } from './store/bounds.ts'
import { changesAgePromises } from './store/changes-age.ts'
import { changesDeduplicationPromises } from './store/changes-dedup.ts'
import { changesDurablePromises } from './store/changes-durable.ts'
import { changesFeedPromises } from './store/changes-feed.ts'
import { changesResumePromises } from './store/changes-resume.ts'
import { changesSharedPromises } from './store/changes-shared.ts'
import { changesPromises } from './store/changes.ts'
import { clearPromises } from './store/clear.ts'
import { closePromises } from './store/close.ts'
import { controlsDurablePromises } from './store/controls-durable.ts'
import { controlsFeedPromises } from './store/controls-feed.ts'
import { controlsSharedPromises } from './store/controls-shared.ts'
import { controlsPromises } from './store/controls.ts'
import { deduplicationPromises } from './store/deduplication.ts'
import { durabilityPromises } from './store/durability.ts'
import { followPromises } from './store/follow.ts'
import { historyAgePromises } from './store/history-age.ts'
import { readPositionsDurablePromises } from './store/read-positions-durable.ts'
import { readPositionsForgetPromises } from './store/read-positions-forget.ts'
import { readPositionsLoadPromises } from './store/read-positions-load.ts'
import { readPositionsSharedPromises } from './store/read-positions-shared.ts'
import { readPositionsPromises } from './store/read-positions.ts'
import { readPromises } from './store/read.ts'
import { sharingPromises } from './store/sharing.ts'
import { streamsDurablePromises } from './store/streams-durable.ts'
import { streamsFeedPromises } from './store/streams-feed.ts'
import { streamsSharedPromises } from './store/streams-shared.ts'
import { streamsPromises } from './store/streams.ts'
import { unreadAgePromises } from './store/unread-age.ts'
import { unreadPromises } from './store/unread.ts'
import { runSuite, type SuiteOptions } from './suite.ts'

/** The properties of a store that the interface leaves open. The suite checks each one that is `true`. */
export interface StoreCapabilities {
  /** A store has the data of earlier, closed stores on the same data. */
  readonly durable?: boolean | undefined
  /** Entries older than the bound `historyAge` are removed. */
  readonly historyAge?: boolean | undefined
  /** Several stores, on several nodes, may be open on the same data. */
  readonly shared?: boolean | undefined
}

/** Options of `storeContract`. */
export interface StoreContractOptions extends SuiteOptions<Store, StoreBounds, StoreCapabilities> {
  /**
   * Breaks the connections by which the stores on the data of this name receive publications. They restore them by themselves.
   * Present if a store can lose publications.
   */
  readonly disconnect?: Disconnect | undefined
}

/**
 * Checks that a store keeps the contract of `Store`: one test, with a subtest for each promise.
 *
 * ```ts
 * await storeContract(test, { open: (name, bounds) => new MyStore({ name, ...bounds }), capabilities: { durable: true } })
 * ```
 */
export async function storeContract (test: Test, { open, capabilities = {}, disconnect }: StoreContractOptions): Promise<void> {
  const { durable = false, historyAge = false, shared = false } = capabilities
  await runSuite(test, 'the contract of a store', open, { historyEntries: 100_000, historyAge: Infinity, dedupWindow: 300_000 }, [
    appendPromises,
    readPromises,
    deduplicationPromises,
    followPromises,
    clearPromises,
    changesPromises,
    changesFeedPromises,
    changesResumePromises,
    changesDeduplicationPromises,
    streamsPromises,
    streamsFeedPromises,
    controlsPromises,
    (test) => controlsFeedPromises(test, disconnect),
    readPositionsPromises,
    readPositionsForgetPromises,
    unreadPromises,
    readPositionsLoadPromises,
    (test) => closePromises(test, durable),
    ...historyAge ? [historyAgePromises, changesAgePromises, unreadAgePromises] : [],
    ...durable
      ? [durabilityPromises, changesDurablePromises, controlsDurablePromises, readPositionsDurablePromises, (test: StoreSubtest) => streamsDurablePromises(test, shared)]
      : [],
    ...shared
      ? [sharingPromises, changesSharedPromises, streamsSharedPromises, readPositionsSharedPromises, (test: StoreSubtest) => controlsSharedPromises(test, disconnect)]
      : []
  ])
}
