import type { Roster } from '../../roster.ts'
import type { Subtest } from '../suite.ts'

/** Bounds that the suite sets on a roster. */
export interface RosterBounds {
  /** ms before the absence of a member is reported */
  readonly grace: number
}

export type RosterSubtest = Subtest<Roster, RosterBounds>

/** A grace longer than any test. */
export const patient: RosterBounds = { grace: 2_000_000_000 }
