import type { DialectName } from './dialects.ts'

/** closed: the first `posters` members, by default all, keep `inFlight` posts in flight each. open: `rate` posts per second in all. */
export type Pattern =
  | { readonly kind: 'closed', readonly inFlight: number, readonly posters?: number }
  | { readonly kind: 'open', readonly rate: number }

/** The task of a generator. */
export interface Job {
  /** Ports of the nodes. Members are distributed over them round-robin. */
  readonly ports: readonly number[]
  readonly path: string
  readonly dialect: DialectName
  /** Whether compression is offered and required. */
  readonly compressed: boolean
  /** Whether a message is sent only to its sender. */
  readonly echo: boolean
  /** characters of a message's text */
  readonly size: number
  /** Whether messages are binary. */
  readonly binary: boolean
  /** Members of each room. */
  readonly roomSize: number
  readonly pattern: Pattern
}

/** Latencies of joins, in ms. */
export interface JoinOutcome { readonly p50: number, readonly p99: number }

/** The result of one window, which lasts from the first post to the last delivery. */
export interface Outcome {
  readonly seconds: number
  readonly posts: number
  readonly deliveries: number
  /** number of posts that an open pattern required */
  readonly offered: number | undefined
  /** ms */
  readonly p50: number | undefined
  readonly p99: number | undefined
  /** µs of this process */
  readonly cpu: number
  /** The reason why the numbers are invalid. */
  readonly invalid: string | undefined
}
