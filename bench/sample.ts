/** The bottleneck. `rate`: the offered rate was reached. `machine`: neither process had its own core. */
export type Limit = 'server' | 'generator' | 'both' | 'rate' | 'machine'

/** One measurement of a contender under a load. CPU in cores. */
export interface TrafficSample {
  /** per second */
  readonly deliveries: number
  /** µs of server CPU per delivery */
  readonly cpu: number
  /** ms */
  readonly p50: number | undefined
  readonly p99: number | undefined
  /** p99 of an HTTP route of the same server, in ms */
  readonly route: number | undefined
  readonly serverCpu: number
  readonly generatorCpu: number
  /** fraction of the offered posts that were made */
  readonly carried: number | undefined
  readonly limit: Limit
}

/** Bytes per connection, room or membership. */
export interface MemorySample { readonly heap: number, readonly rss: number }

export interface JoinSample {
  /** ms */
  readonly p50: number
  readonly p99: number
  /** of a join to the store, one after another */
  readonly roundTrips: number | undefined
}

/** time: ms of a start */
export interface StartSample { readonly time: number }

export type Sample = TrafficSample | MemorySample | JoinSample | StartSample | { readonly invalid: string }
