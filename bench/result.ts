import type { IdleSample, Limit, Sample, TrafficSample } from './measure.ts'
import type { Contender } from './contenders.ts'
import type { Load, Target } from './loads/load.ts'

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
  /** bytes per connection */
  readonly heap: number | undefined
  readonly rss: number | undefined
  /** cores */
  readonly serverCpu: number | undefined
  readonly generatorCpu: number | undefined
  /** fraction of the offered posts that were made */
  readonly carried: number | undefined
  readonly limits: readonly Limit[]
}

/** ratio: median over the rounds of our measure divided by the control's. */
export interface Comparison extends Omit<Target, 'measure'> {
  readonly measure: 'cpu' | 'heap' | 'rss' | 'deliveries' | 'p50' | 'p99'
  readonly ratio: number
  readonly met: Met | undefined
}

/** `equal`: missed by at most `TOLERANCE`. */
export type Met = 'met' | 'equal' | 'missed'

/** Two measurements whose ratio differs from a target by less than this are equal to it: repeated runs differ by as much. */
const TOLERANCE = 1.05

export interface LoadResult {
  readonly name: string
  readonly title: string
  readonly note: string | undefined
  readonly rows: readonly Row[]
  readonly comparisons: readonly Comparison[]
}

/** @param rounds the sample of each measured contender, by round */
export function summarize (load: Load, rounds: ReadonlyArray<ReadonlyMap<Contender, Sample>>): LoadResult {
  const costs = load.kind === 'idle' ? ['heap', 'rss'] as const : ['cpu'] as const
  return {
    name: load.name,
    title: load.title,
    note: load.note,
    rows: load.contenders.map((contender) => row(contender, rounds.flatMap((round) => round.get(contender) ?? []))),
    comparisons: load.targets.flatMap((target) => (target.measure === undefined ? costs : [target.measure]).flatMap((measure) => {
      const of = (name: string, round: ReadonlyMap<Contender, Sample>) =>
        numberOf(round.get(load.contenders.find((contender) => contender.name === name)!), measure)
      const ratio = median(rounds.map((round) => of(target.ours, round) / of(target.control, round)))
      return ratio === undefined
        ? []
        : { ...target, measure, ratio, met: met(target, ratio) }
    }))
  }
}

function met ({ atMost = Infinity, atLeast = 0 }: Target, ratio: number): Met | undefined {
  if (atMost === Infinity && atLeast === 0) return undefined
  if (ratio <= atMost && ratio >= atLeast) return 'met'
  return ratio <= atMost * TOLERANCE && ratio >= atLeast / TOLERANCE ? 'equal' : 'missed'
}

function row ({ name, ours, missing }: Contender, samples: readonly Sample[]): Row {
  const of = (measure: keyof TrafficSample | keyof IdleSample) => median(samples.map((sample) => numberOf(sample, measure)))
  return {
    contender: name,
    ours,
    skipped: missing,
    invalid: samples.flatMap((sample) => 'invalid' in sample ? sample.invalid : []),
    deliveries: of('deliveries'),
    cpu: of('cpu'),
    p50: of('p50'),
    p99: of('p99'),
    heap: of('heap'),
    rss: of('rss'),
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
