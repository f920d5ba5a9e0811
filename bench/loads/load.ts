import type { Pattern } from '../generator/job.ts'
import type { Contender, Program, Server } from '../contenders.ts'

/**
 * Costs: `cpu`: µs of the server per delivery; `heap`, `rss`: bytes; `time`: ms of a start. Others: `deliveries`: per second;
 * `p50`, `p99`: latency in ms; `route`: p99 of an HTTP route in ms; `roundTrips`: number of round trips of a join to the store.
 */
export type Measure = 'cpu' | 'heap' | 'rss' | 'time' | 'deliveries' | 'p50' | 'p99' | 'route' | 'roundTrips'

/**
 * A comparison of two contenders of a load, or a number of one of them. With a bound, it is a target. Without one, only the
 * ratio or the number is printed.
 */
export interface Target {
  /** name of the contender whose measure is divided by that of the control, in the same round */
  readonly ours: string
  /** name of the control; without one, the measure itself is compared with the bounds, in its unit */
  readonly control?: string
  /** default: each cost that the load measures */
  readonly measure?: Measure
  /** maximum ratio or measure */
  readonly atMost?: number
  /** minimum ratio or measure */
  readonly atLeast?: number
}

interface Common<C extends Contender> {
  readonly name: string
  readonly title: string
  /** In the order in which they are measured. */
  readonly contenders: readonly C[]
  readonly targets: readonly Target[]
  /** A remark for the table. */
  readonly note?: string
}

/** Measures CPU per delivery and latency. */
export interface Traffic extends Common<Server> {
  readonly kind: 'traffic'
  readonly members: number
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
export interface Idle extends Common<Server> {
  readonly kind: 'idle'
  readonly members: number
  /** members of each room; default: all */
  readonly roomSize?: number
}

/** Measures memory per room or per membership, of rooms that members join over a connection that they have. */
export interface Rooms extends Common<Server> {
  readonly kind: 'rooms'
  readonly members: number
  readonly roomSize: number
  /** rooms that each member joins in addition to its first */
  readonly joins: number
  readonly per: 'room' | 'membership'
}

/** A server, and whether the rooms of the client have timelines. */
export interface ClientServer extends Server { readonly timelines: boolean }

/** Measures memory of a client per room that it has joined. */
export interface ClientRooms extends Common<ClientServer> {
  readonly kind: 'client-rooms'
  readonly rooms: number
  /** messages that the client receives in each room when it joins */
  readonly messages: number
}

/** Measures the latency of joins, one after another. */
export interface Join extends Common<Server> {
  readonly kind: 'join'
  /** number of joins, each of another room */
  readonly joins: number
}

/** Measures the time of a start, each in a new process. */
export interface Start extends Common<Program> {
  readonly kind: 'start'
  /** `ready`: from `register` of the plugin in the file to `ready()`; `listening`: from the start of the process to its log line */
  readonly until: 'ready' | 'listening'
}

export type Load = Traffic | Idle | Rooms | ClientRooms | Join | Start

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

/** Maximum CPU time of v1 as a multiple of that of plain. */
const V1_COST = 1.25

/** Returns the targets of both wires, and the comparison with the lower bound. */
export function bothWires (ratios: Ratios): Target[] {
  return [
    ...targets('plain', 'ws', ratios),
    { ours: 'plain', control: 'net' },
    { ours: 'v1', control: 'plain', atMost: V1_COST }
  ]
}
