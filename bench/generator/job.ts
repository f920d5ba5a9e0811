import type { DialectName } from './dialects.ts'

/** closed: each member has so many messages on their way, and posts again when it hears its own. open: so many a second in all. */
export type Pattern =
  | { readonly kind: 'closed', readonly inFlight: number }
  | { readonly kind: 'open', readonly rate: number }

/** What a generator is to do. */
export interface Job {
  /** Of the nodes, among which members are dealt out in turn. */
  readonly ports: readonly number[]
  readonly path: string
  readonly dialect: DialectName
  /** Whether compression is offered, and must then be used. */
  readonly compressed: boolean
  /** Whether only its sender hears a message. */
  readonly echo: boolean
  /** characters of a message's text */
  readonly size: number
  readonly pattern: Pattern
}

/** What came of one window: from the first post until the last delivery. */
export interface Outcome {
  readonly seconds: number
  readonly posts: number
  readonly deliveries: number
  /** posts that the pattern asked for, where it asks for a number */
  readonly offered: number | undefined
  /** ms */
  readonly p50: number | undefined
  readonly p99: number | undefined
  /** of this process; µs */
  readonly cpu: number
  /** Why the numbers don't count. */
  readonly invalid: string | undefined
}
