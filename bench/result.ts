import type { IdleSample, Limit, Sample, TrafficSample } from './measure.ts'
import type { Contender } from './contenders.ts'
import type { Load, Target } from './loads/load.ts'

/** Undefined: this load has no such number. */
export interface Row {
  readonly contender: string
  readonly ours: boolean
  /** Why it has no numbers. */
  readonly skipped?: string | undefined
  /** Rounds that don't count, and why. */
  readonly invalid: readonly string[]
  /** a second */
  readonly deliveries: number | undefined
  /** of the server, a delivery; µs */
  readonly cpu: number | undefined
  /** ms */
  readonly p50: number | undefined
  readonly p99: number | undefined
  /** a connection; bytes */
  readonly heap: number | undefined
  readonly rss: number | undefined
  /** parts of a core */
  readonly serverCpu: number | undefined
  readonly generatorCpu: number | undefined
  /** part of the posts to be made that were made */
  readonly carried: number | undefined
  readonly limits: readonly Limit[]
}

/** measure: of which ours is divided by the control's, in the same round; `ratio` is the median of that. */
export interface Comparison extends Omit<Target, 'measure'> {
  readonly measure: 'cpu' | 'heap' | 'rss' | 'deliveries'
  readonly ratio: number
  readonly met: boolean | undefined
}

export interface LoadResult {
  readonly name: string
  readonly title: string
  readonly note: string | undefined
  readonly rows: readonly Row[]
  readonly comparisons: readonly Comparison[]
}

/** @param rounds of each round, the sample of each contender that was measured */
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

function met ({ atMost, atLeast }: Target, ratio: number): boolean | undefined {
  if (atMost === undefined && atLeast === undefined) return undefined
  return ratio <= (atMost ?? Infinity) && ratio >= (atLeast ?? 0)
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

/** NaN for what a sample doesn't have. */
function numberOf (sample: Sample | undefined, measure: string): number {
  return Number((sample as Record<string, unknown> | undefined)?.[measure])
}

function median (numbers: readonly number[]): number | undefined {
  const sorted = numbers.filter((number) => !Number.isNaN(number)).sort((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return sorted.length === 0 ? undefined : (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2
}
