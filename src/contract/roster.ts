import type { Roster } from '../roster.ts'
import type { RosterBounds, RosterSubtest } from './roster/bounds.ts'
import { closePromises } from './roster/close.ts'
import { directMessagesPromises, sharedDirectMessagesPromises } from './roster/direct-messages.ts'
import { presencePromises } from './roster/presence.ts'
import { restrictionsPromises } from './roster/restrictions.ts'
import { sharingPromises } from './roster/sharing.ts'
import { signalsPromises } from './roster/signals.ts'
import type { Test } from './runner.ts'
import { runSuite, type SuiteOptions } from './suite.ts'

/** The properties of a roster that the interface leaves open. The suite checks them. */
export interface RosterCapabilities {
  /** Most members that `Presence.members` lists: at least 5. Default: 100 */
  readonly listed?: number | undefined
  /** Several rosters, on several nodes, may be open on the same data. */
  readonly shared?: boolean | undefined
}

/** Options of `rosterContract`. */
export type RosterContractOptions = SuiteOptions<Roster, RosterBounds, RosterCapabilities>

/**
 * Checks that a roster keeps the contract of `Roster`: one test, with a subtest for each promise.
 *
 * ```ts
 * await rosterContract(test, { open: (name, { grace }) => new MyRoster({ name, grace }), capabilities: { shared: true } })
 * ```
 */
export async function rosterContract (test: Test, { open, capabilities = {} }: RosterContractOptions): Promise<void> {
  const { listed = 100, shared = false } = capabilities
  await runSuite(test, 'the contract of a roster', open, { grace: 1 }, [
    (test) => presencePromises(test, listed),
    signalsPromises,
    directMessagesPromises,
    restrictionsPromises,
    closePromises,
    ...shared ? [(test: RosterSubtest) => sharingPromises(test, listed), sharedDirectMessagesPromises] : []
  ])
}
