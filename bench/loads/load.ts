import type { Pattern } from '../generator/job.ts'
import type { Contender } from '../contenders.ts'

/** A comparison of two contenders of a load. With a bound, it is a target. Without one, only the ratio is printed. */
export interface Target {
  /** name of the contender whose measure is divided by that of the control, in the same round */
  readonly ours: string
  /** name of the control */
  readonly control: string
  /** `deliveries`: deliveries per second; `p50`, `p99`: latency; default: the cost, which is CPU time or memory */
  readonly measure?: 'deliveries' | 'p50' | 'p99'
  /** maximum ratio */
  readonly atMost?: number | undefined
  /** minimum ratio */
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
  readonly binary?: boolean
  /** members of each room; default: all */
  readonly roomSize?: number
  readonly compressed?: boolean
  readonly echo?: boolean
}

/** Measures memory per connection. */
export interface Idle extends Common { readonly kind: 'idle' }

export type Load = Traffic | Idle

/** Maximum ratios of a contender's CPU time and latencies to those of a control. */
export interface Ratios { readonly cpu: number, readonly latency: number }

/** Returns the targets for CPU time, p50 and p99. */
export function targets (ours: string, control: string, { cpu, latency }: Ratios): Target[] {
  return [
    { ours, control, atMost: cpu },
    { ours, control, measure: 'p50', atMost: latency },
    { ours, control, measure: 'p99', atMost: latency }
  ]
}
