import type { Pattern } from '../generator/job.ts'
import type { Contender } from '../contenders.ts'

/**
 * ours: the name of a contender. atMost, atLeast: times the control's measure, in the same round; neither where no
 * target is set. measure: cost (CPU, or memory), by default, or deliveries a second.
 */
export interface Target {
  readonly ours: string
  readonly control: string
  readonly measure?: 'deliveries'
  readonly atMost?: number | undefined
  readonly atLeast?: number
}

interface Common {
  readonly name: string
  readonly title: string
  readonly members: number
  /** In the order in which they take turns. */
  readonly contenders: readonly Contender[]
  readonly targets: readonly Target[]
  /** What is to be said of it. */
  readonly note?: string
}

/** CPU per delivery, and how long a delivery takes. */
export interface Traffic extends Common {
  readonly kind: 'traffic'
  readonly pattern: Pattern
  /** characters of a message's text */
  readonly size: number
  readonly compressed?: boolean
  readonly echo?: boolean
}

/** Memory per connection. */
export interface Idle extends Common { readonly kind: 'idle' }

export type Load = Traffic | Idle
