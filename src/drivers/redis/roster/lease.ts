import { randomBytes } from 'node:crypto'
import type { RedisLink } from '../client/client.ts'
import { renew, retire } from './scripts.ts'
import { Subscription } from './subscription.ts'

export interface LeaseEvents {
  /** It holds. kept: as the same node as before. gone: nodes that were live, and are not. */
  renewed (kept: boolean, gone: ReadonlySet<string>): void
  /** Whether it holds can't be known. */
  failed (): void
}

/**
 * What says that this node lives: all that it told Redis holds as long. A lease that ended never holds again: the node
 * goes on as a new one.
 */
export class Lease {
  readonly #link: RedisLink
  readonly #length: number
  readonly #events: LeaseEvents
  readonly #key: string
  readonly #channel: string
  readonly #subscription: Subscription
  #node = newName()
  #former: string | undefined
  #isNew = true
  #live = new Set<string>()
  #said = 0
  #renewing: Promise<boolean> | undefined
  #timer: NodeJS.Timeout | undefined
  #ended = false
  #failure: Error | undefined

  /** @param length ms that it holds; it is renewed at a third of it */
  constructor (link: RedisLink, length: number, events: LeaseEvents) {
    this.#link = link
    this.#length = length
    this.#events = events
    this.#key = link.key('roster', 'leases')
    this.#channel = link.key('roster', 'peers')
    this.#subscription = new Subscription(link, this.#channel, () => this.#renewIn(0))
  }

  /** This node's name. */
  get node (): string { return this.#node }

  /** The error of the last renewal, if it failed. */
  get failure (): Error | undefined { return this.#failure }

  isLive (node: string): boolean { return this.#live.has(node) }

  /** A number for what this node says next. */
  next (): number { return ++this.#said }

  /** Resolves when peers are heard that came back to nothing, or will end. */
  async listen (): Promise<void> {
    await this.#subscription.start()
  }

  /** Resolves to whether it was renewed. */
  renew (): Promise<boolean> {
    if (this.#ended) return Promise.resolve(false)
    this.#renewing ??= this.#renew().finally(() => { this.#renewing = undefined })
    return this.#renewing
  }

  /** Renews it by a command that is sent after this call. */
  async renewAgain (): Promise<boolean> {
    await this.#renewing
    return await this.renew()
  }

  /** Those of the nodes that certainly don't live. */
  async dead (nodes: readonly string[]): Promise<string[]> {
    if (nodes.every((node) => this.#live.has(node))) return []
    return await this.renewAgain() ? nodes.filter((node) => !this.#live.has(node)) : []
  }

  /** What Redis has of this node is not what it was told: it goes on as a new one. */
  async abandon (): Promise<void> {
    await this.#renewing
    this.#replace()
    await this.renew()
  }

  /** Ends the lease of the node that this one was before: all that it told must have been told again. */
  async endFormer (): Promise<void> {
    if (this.#former === undefined) return
    await this.#link.command('zrem', this.#key, this.#former)
    this.#live.delete(this.#former)
    this.#former = undefined
  }

  /** It is not renewed any more. */
  stop (): void {
    clearTimeout(this.#timer)
    this.#ended = true
  }

  /** Ends it after so many ms, and lets the peers know. */
  async end (after: number): Promise<void> {
    this.stop()
    await this.#link.run(retire, [this.#key], [this.#node, after, this.#link.publishCommand, this.#channel])
  }

  async #renew (): Promise<boolean> {
    const before = this.#live
    let next = this.#length / 3
    let renewed = false
    try {
      next = Math.min(next, await this.#ask())
      if (!this.#live.has(this.#node)) {
        this.#replace()
        await this.#ask()
      }
      const kept = !this.#isNew || this.#former === undefined
      this.#isNew = false
      // This node may not be alone with that: the sooner all enter their members again the better.
      if (!kept) this.#link.publish(this.#channel, '')
      this.#events.renewed(kept, new Set([...before].filter((node) => !this.#live.has(node))))
      renewed = true
      this.#failure = undefined
    } catch (error) {
      this.#failure = error as Error
      // Tried often enough, for it holds as long as all of them.
      next = this.#length / 30
      this.#events.failed()
    }
    this.#renewIn(next)
    return renewed
  }

  /** Gives in how many ms the first of the others ends. */
  async #ask (): Promise<number> {
    const args = [this.#node, this.#length, this.#isNew ? 1 : 0]
    const [now, leases] = await this.#link.run(renew, [this.#key], args) as [number, string[]]
    const ends = new Map<string, number>()
    for (let i = 0; i < leases.length; i += 2) ends.set(leases[i]!, Number(leases[i + 1]))
    this.#live = new Set(ends.keys())
    return Math.min(...ends.values()) - now
  }

  #replace (): void {
    this.#former = this.#node
    this.#node = newName()
    this.#isNew = true
  }

  #renewIn (ms: number): void {
    if (this.#ended) return
    clearTimeout(this.#timer)
    // Redis cuts the time to whole ms: a little later, that what is to end has ended.
    this.#timer = setTimeout(() => { this.renew().catch(() => {}) }, ms + 10).unref()
  }
}

function newName (): string {
  return randomBytes(12).toString('base64url')
}
