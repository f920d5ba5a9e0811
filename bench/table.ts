import type { Measure } from './loads/load.ts'
import type { Comparison, LoadResult, Row } from './result.ts'

const head = ['contender', 'deliveries/s', 'µs/delivery', 'p50 ms', 'p99 ms', 'heap KB', 'RSS KB', 'start ms', 'CPU srv/gen', 'limit', 'ours to it']

/** Whether a column contains text. */
const words = [true, false, false, false, false, false, false, false, false, true, true]

export const legend = `µs/delivery: CPU time of the server process. CPU srv/gen: CPU use of the server and the generator, in % of a core.
limit: the bottleneck: the server, the generator or both; rate: none, the offered rate was reached;
machine: another process used the CPU. ours to it: our cost (µs, bytes or ms) divided by that of the control; a value with
a unit is our own. RSS: resident memory. Heap and RSS are per connection, room or membership, as the load's title says.
equal: missed by at most 5 %.
plain, v1: order for all, bounded history, limits of rates and memory; v1 also acknowledgements, presence and resume.
ws: a set of sockets for each room and a send to each; nothing is stored or bounded. net: the same, without HTTP and ws.
Socket.IO: the same by emit; with 2 nodes, messages go through a Redis stream.`

/** Returns all loads as a table for a terminal. */
export function table (results: readonly LoadResult[]): string {
  const cells = results.map(({ rows, comparisons, per }) => rows.flatMap((row) => lines(row, comparisons, per)))
  const widths = head.map((title, i) => Math.max(title.length, ...cells.flat().map((line) => line.length > 2 ? line[i]!.length : 0)))
  const aligned = (line: readonly string[]) =>
    line.length > 2
      ? `  ${line.map((cell, i) => words[i] ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join('  ')}`.trimEnd()
      : `  ${line[0]!.padEnd(widths[0]!)}  ${line[1]}`
  return [
    aligned(head),
    ...results.flatMap(({ name, title, note }, i) => [
      '', `${name}: ${title}${note === undefined ? '' : ` (${note})`}`, ...cells[i]!.map(aligned)
    ])
  ].join('\n')
}

/** Returns the lines of a row. The first line has its numbers. Each comparison has its own line, in the row of the control. */
function lines (row: Row, comparisons: readonly Comparison[], per: LoadResult['per']): string[][] {
  const { contender, ours, skipped, invalid } = row
  const name = ours ? contender : `– ${contender}`
  if (skipped !== undefined) return [[name, skipped]]
  const remarks = invalid.map((reason) => ['', `a round is invalid: ${reason}`])
  const ratios = comparisons.filter(({ ours, control = ours }) => control === contender).map((comparison) => compared(comparison, per))
  const loads = row.serverCpu === undefined ? '' : `${percent(row.serverCpu)}/${percent(row.generatorCpu!)}`
  const missed = row.limits.some((limit) => limit !== 'rate') && row.carried !== undefined ? ` ${percent(row.carried)} of rate` : ''
  const numbers = [
    number(row.deliveries, 0), number(row.cpu, 3), number(row.p50, 2), number(row.p99, 2),
    number(row.heap && row.heap / 1024, 2), number(row.rss && row.rss / 1024, 2), number(row.time, 1), loads, row.limits.join(', ') + missed
  ]
  const blank = numbers.map(() => '')
  if (numbers.join('') === '') return [[name, 'no valid round'], ...remarks]
  return [
    [name, ...numbers, ratios[0] ?? ''],
    ...ratios.slice(1).map((ratio) => ['', ...blank, ratio]),
    ...remarks
  ]
}

function compared ({ ours, control, measure, value, atMost, atLeast, met }: Comparison, per: LoadResult['per']): string {
  const of = control === undefined ? labels[measure] : measure === 'cpu' ? ours : `${ours} ${labels[measure]}`
  const text = control === undefined ? (number: number) => withUnit(measure, number, per) : fraction
  const target = atMost ?? atLeast
  if (target === undefined) return `${of} ${text(value)}`
  return `${of} ${text(value)}, target ${atMost === undefined ? 'at least ' : ''}${text(target)}: ${met === 'missed' ? 'MISSED' : met}`
}

const labels: Record<Measure, string> = {
  cpu: 'CPU', heap: 'heap', rss: 'rss', time: 'start', deliveries: 'deliveries', p50: 'p50', p99: 'p99', route: 'p99 of a route', roundTrips: 'round trips'
}

function withUnit (measure: Measure, value: number, per: LoadResult['per']): string {
  switch (measure) {
    case 'cpu': return `${number(value, 3)} µs`
    case 'heap':
    case 'rss': return `${number(value, 0)} bytes a ${per}`
    case 'deliveries': return `${number(value, 0)}/s`
    case 'roundTrips': return number(value, 0)
    default: return `${number(value, 2)} ms`
  }
}

function fraction (ratio: number): string {
  return ratio < 0.3 ? `1/${(1 / ratio).toFixed(1).replace(/\.0$/, '')}` : ratio.toFixed(2)
}

function percent (part: number): string {
  return `${Math.round(part * 100)}%`
}

function number (value: number | undefined, digits: number): string {
  return value?.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits }) ?? ''
}
