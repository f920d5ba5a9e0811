import type { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { MetricsTaken } from '../errors.ts'
import { withPackage } from '../optional-package.ts'
import type { MetricsRegistry } from '../options.ts'
import type { Stats, Timings } from './stats.ts'

/** A metric that is read from `Stats`. value: one number, or one for each value of the label. */
interface StatsMetric {
  readonly name: string
  readonly help: string
  readonly label?: 'reason' | 'code'
  readonly value: (stats: Stats) => number | Readonly<Record<string, number>>
}

const gauges: readonly StatsMetric[] = [
  { name: 'fastify_chat_connections', help: 'Open connections, including those of echo', value: ({ connections }) => connections },
  { name: 'fastify_chat_members', help: 'Distinct members connected to this process', value: ({ members }) => members },
  { name: 'fastify_chat_rooms', help: 'Rooms in use in this process', value: ({ rooms }) => rooms },
  { name: 'fastify_chat_pending_bytes', help: 'Bytes written to clients and not yet sent', value: ({ pendingBytes }) => pendingBytes }
]

const counters: readonly StatsMetric[] = [
  { name: 'fastify_chat_posts_total', help: 'Messages stored by this process', value: ({ posts }) => posts },
  { name: 'fastify_chat_changes_total', help: 'Edits, deletions, reactions and ends of streamed texts stored by this process', value: ({ changes }) => changes },
  { name: 'fastify_chat_deliveries_total', help: 'Messages and changes written to members of this process', value: ({ deliveries }) => deliveries },
  { name: 'fastify_chat_refusals_total', help: 'Refused upgrades and requests', label: 'reason', value: ({ refusals }) => refusals },
  { name: 'fastify_chat_disconnects_total', help: 'Connections ended by the server, except while it was stopping', label: 'reason', value: ({ disconnects }) => disconnects },
  { name: 'fastify_chat_store_errors_total', help: 'Failed store calls', label: 'code', value: ({ storeErrors }) => storeErrors }
]

const APPEND = 'fastify_chat_append_duration_seconds'
const DELIVERY = 'fastify_chat_delivery_duration_seconds'

const names = [...[...gauges, ...counters].map(({ name }) => name), APPEND, DELIVERY]

/** Bounds in seconds, from a store in memory to a store behind a slow network. */
const BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

const registries = new WeakMap<MetricsRegistry, Metrics>()

/** The metrics of one registry. The label `chat` identifies the chat. Values are read at each scrape. */
export class Metrics {
  readonly #registry: MetricsRegistry
  readonly #chats = new Map<string, () => Stats>()
  readonly #append: Histogram<'chat'>
  readonly #delivery: Histogram<'chat'>
  #snapshots: ReadonlyArray<readonly [chat: string, stats: Stats]> | undefined

  /** @throws MetricsTaken */
  private constructor (registry: MetricsRegistry, client: typeof import('prom-client')) {
    this.#registry = registry
    const taken = names.find((name) => registry.getSingleMetric(name) !== undefined)
    if (taken !== undefined) throw new MetricsTaken(`a metric '${taken}'`)
    const registers = [registry as unknown as Registry]
    const read = (metric: Counter | Gauge, { label, value }: StatsMetric) => {
      metric.reset()
      for (const [chat, stats] of this.#takeSnapshots()) {
        const values = value(stats)
        if (typeof values === 'number') metric.inc({ chat }, values)
        else for (const [each, count] of Object.entries(values)) metric.inc({ chat, [label!]: each }, count)
      }
    }
    const made = [...gauges.map((each) => [client.Gauge, each] as const), ...counters.map((each) => [client.Counter, each] as const)]
    for (const [Metric, each] of made) {
      const { name, help, label } = each
      const metric: Counter | Gauge = new Metric({
        name, help, registers, labelNames: label === undefined ? ['chat'] : ['chat', label], collect: () => read(metric, each)
      })
    }
    const histogram = (name: string, help: string) =>
      new client.Histogram({ name, help, registers, labelNames: ['chat'], buckets: BUCKETS })
    this.#append = histogram(APPEND, 'Time from a post until it is stored')
    this.#delivery = histogram(DELIVERY, "Time from the store's delivery of a message until it is written to the last member of this process")
  }

  /**
   * Adds a chat to a registry.
   * @param chat its prefix
   * @returns the timers to record to, and a function that unregisters the chat
   * @throws MetricsTaken, PackageMissing
   */
  static async add (registry: MetricsRegistry, chat: string, stats: () => Stats): Promise<{ timings: Timings, remove: () => void }> {
    const client = await withPackage("the option 'metrics'", 'prom-client', async () => await import('prom-client'))
    let metrics = registries.get(registry)
    if (metrics === undefined) {
      metrics = new Metrics(registry, client)
      registries.set(registry, metrics)
    }
    return metrics.#add(chat, stats)
  }

  #add (chat: string, stats: () => Stats): { timings: Timings, remove: () => void } {
    if (this.#chats.has(chat)) throw new MetricsTaken(`a chat '${chat}'`)
    this.#chats.set(chat, stats)
    const [append, delivery] = [this.#append.labels({ chat }), this.#delivery.labels({ chat })]
    return {
      timings: {
        appended: (seconds) => append.observe(seconds),
        delivered: (seconds) => delivery.observe(seconds)
      },
      remove: () => this.#remove(chat)
    }
  }

  #remove (chat: string): void {
    this.#chats.delete(chat)
    this.#append.remove({ chat })
    this.#delivery.remove({ chat })
    if (this.#chats.size > 0) return
    registries.delete(this.#registry)
    for (const name of names) this.#registry.removeSingleMetric(name)
  }

  /** Returns the same snapshots for all metrics of a scrape, which are collected synchronously. */
  #takeSnapshots (): ReadonlyArray<readonly [chat: string, stats: Stats]> {
    if (this.#snapshots === undefined) {
      this.#snapshots = [...this.#chats].map(([chat, stats]) => [chat, stats()])
      queueMicrotask(() => { this.#snapshots = undefined })
    }
    return this.#snapshots
  }
}
