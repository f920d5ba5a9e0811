import type { Contender } from './contenders.ts'
import type { Load, Measure, Rooms, Target } from './loads/load.ts'
import type { Limit, Sample } from './sample.ts'

/** Numbers of a contender. A number that the load doesn't measure is undefined. */
export interface Row {
  readonly contender: string
  readonly ours: boolean
  /** The reason why the contender was not measured. */
  readonly skipped?: string | undefined
  /** The reasons why rounds are invalid. */
  readonly invalid: readonly string[]
  /** per second */
  readonly deliveries: number | undefined
  /** µs of server CPU per delivery */
  readonly cpu: number | undefined
  /** ms */
  readonly p50: number | undefined
  readonly p99: number | undefined
  /** p99 of an HTTP route, in ms */
  readonly route: number | undefined
  /** of a join to the store */
  readonly roundTrips: number | undefined
  /** bytes per connection, room or membership */
  readonly heap: number | undefined
  readonly rss: number | undefined
  /** ms of a start */
  readonly time: number | undefined
  /** cores */
  readonly serverCpu: number | undefined
  readonly generatorCpu: number | undefined
  /** fraction of the offered posts that were made */
  readonly carried: number | undefined
  readonly limits: readonly Limit[]
}

/** value: median over the rounds of our measure, divided by the control's if there is one. */
export interface Comparison extends Target {
  readonly measure: Measure
  readonly value: number
  readonly met: Met | undefined
}

/** The costs that each kind of load measures. */
const costs: Record<Load['kind'], readonly Measure[]> = {
  traffic: ['cpu'],
  idle: ['heap', 'rss'],
  rooms: ['heap', 'rss'],
  'client-rooms': ['heap', 'rss'],
  join: [],
  start: ['time']
}

/** `equal`: missed by at most `TOLERANCE`. */
export type Met = 'met' | 'equal' | 'missed'

/** A value that differs from its target by less than this is equal to it: repeated runs differ by as much. */
const TOLERANCE = 1.05

export interface LoadResult {
  readonly name: string
  readonly title: string
  readonly note: string | undefined
  /** What the bytes are counted for; undefined for a load that doesn't measure memory. */
  readonly per: 'connection' | Rooms['per'] | undefined
  readonly rows: readonly Row[]
  readonly comparisons: readonly Comparison[]
}

/** @param rounds the sample of each measured contender, by round */
export function summarize (load: Load, rounds: ReadonlyArray<ReadonlyMap<Contender, Sample>>): LoadResult {
  const contenders: readonly Contender[] = load.contenders
  return {
    name: load.name,
    title: load.title,
    note: load.note,
    per: load.kind === 'rooms' ? load.per : load.kind === 'client-rooms' ? 'room' : load.kind === 'idle' ? 'connection' : undefined,
    rows: contenders.map((contender) => row(contender, rounds.flatMap((round) => round.get(contender) ?? []))),
    comparisons: load.targets.flatMap((target) => (target.measure === undefined ? costs[load.kind] : [target.measure]).flatMap((measure) => {
      const of = (name: string, round: ReadonlyMap<Contender, Sample>) =>
        numberOf(round.get(contenders.find((contender) => contender.name === name)!), measure)
      const value = median(rounds.map((round) => of(target.ours, round) / (target.control === undefined ? 1 : of(target.control, round))))
      return value === undefined ? [] : { ...target, measure, value, met: met(target, value) }
    }))
  }
}

function met ({ atMost = Infinity, atLeast = 0 }: Target, value: number): Met | undefined {
  if (atMost === Infinity && atLeast === 0) return undefined
  if (value <= atMost && value >= atLeast) return 'met'
  return value <= atMost * TOLERANCE && value >= atLeast / TOLERANCE ? 'equal' : 'missed'
}

function row ({ name, ours, missing }: Contender, samples: readonly Sample[]): Row {
  const of = (measure: string) => median(samples.map((sample) => numberOf(sample, measure)))
  return {
    contender: name,
    ours,
    skipped: missing,
    invalid: samples.flatMap((sample) => 'invalid' in sample ? sample.invalid : []),
    deliveries: of('deliveries'),
    cpu: of('cpu'),
    p50: of('p50'),
    p99: of('p99'),
    route: of('route'),
    roundTrips: of('roundTrips'),
    heap: of('heap'),
    rss: of('rss'),
    time: of('time'),
    serverCpu: of('serverCpu'),
    generatorCpu: of('generatorCpu'),
    carried: of('carried'),
    limits: [...new Set(samples.flatMap((sample) => 'limit' in sample ? sample.limit : []))]
  }
}

/** Returns a number of a sample; NaN if it is missing. */
function numberOf (sample: Sample | undefined, measure: string): number {
  return Number((sample as Record<string, unknown> | undefined)?.[measure])
}

function median (numbers: readonly number[]): number | undefined {
  const sorted = numbers.filter((number) => !Number.isNaN(number)).sort((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return sorted.length === 0 ? undefined : (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2
}
