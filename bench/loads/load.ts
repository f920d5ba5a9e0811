import type { Pattern } from '../generator/job.ts'
import type { Contender } from '../contenders.ts'

/**
 * ours: name of a contender. atMost, atLeast: bounds of our measure divided by the control's, in the same round;
 * neither if there is no target. measure: deliveries per second; by default cost (CPU or memory).
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
  /** In the order in which they are measured. */
  readonly contenders: readonly Contender[]
  readonly targets: readonly Target[]
  /** A remark for the table. */
  readonly note?: string
}

/** Measures CPU per delivery and latency. */
export interface Traffic extends Common {
  readonly kind: 'traffic'
  readonly pattern: Pattern
  /** characters of a message's text */
  readonly size: number
  readonly compressed?: boolean
  readonly echo?: boolean
}

/** Measures memory per connection. */
export interface Idle extends Common { readonly kind: 'idle' }

export type Load = Traffic | Idle
