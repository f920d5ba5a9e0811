import { setTimeout as pass } from 'node:timers/promises'
import { check, limit, milliseconds, type Checks } from '../../../checks.ts'
import { RosterClosed } from '../../../errors.ts'
import { RedisLink, type RedisOptions } from '../client/client.ts'
import { checks as linkChecks } from '../client/options.ts'
import { tryOut } from '../client/rights.ts'
import type { Member } from '../../../store.ts'
import { channel, nodeKeys } from './keys.ts'
import { RosterNode } from './node.ts'
import { Restrictions } from './restrictions.ts'
import { read, sweep, tell } from './scripts.ts'
import type { Presence, Restriction, RestrictionsAt, Roster, Signal, TimedRestriction } from '../../../roster.ts'

/** Where the Redis is, and how members are shown, each with its default. */
export interface RedisRosterOptions extends RedisOptions {
  /** ms before a leave shows; 5 s */
  readonly grace?: number | undefined
  /** ms that changes are gathered before watchers are told; 100 ms */
  readonly coalesce?: number | undefined
  /** members listed; 100 */
  readonly listed?: number | undefined
  /** ms after which the members of a node that died are gone, the same on all nodes; 30 s */
  readonly lease?: number | undefined
}

/** ms */
const CHECK_TTL = 60_000

const checks: Checks<RedisRosterOptions> = { ...linkChecks, grace: milliseconds(0), coalesce: milliseconds(0), listed: limit, lease: milliseconds(1) }

/**
 * Who is here, on all nodes that share a Redis.
 *
 * While Redis is gone, watchers have the last state with `stale: true`. Whoever enters or leaves meanwhile is known here,
 * and Redis is told when it is back, also when it comes back empty. What was said of members can't be known meanwhile:
 * `restrict` and `restrictions` reject; nodes are told of it when they are back.
 */
export class RedisRoster implements Roster {
  readonly #link: RedisLink
  readonly #node: RosterNode
  readonly #restrictions: Restrictions
  readonly #listeners = new Set<{ readonly call: (who: string, what: TimedRestriction) => void }>()
  readonly #timeout: number
  readonly #opened: Promise<unknown>
  #closing: Promise<void> | undefined

  /** @throws InvalidOption */
  constructor ({ grace = 5_000, coalesce = 100, listed = 100, lease = 30_000, timeout = 5_000, ...redis }: RedisRosterOptions = {}) {
    check({ grace, coalesce, listed, lease, timeout, ...redis }, checks)
    this.#timeout = timeout
    this.#link = new RedisLink({ ...redis, timeout })
    this.#restrictions = new Restrictions(this.#link, (who, what) => { for (const { call } of this.#listeners) call(who, what) })
    this.#node = new RosterNode(this.#link, { grace, coalesce, listed, lease, catchUp: () => this.#restrictions.catchUp(), poll: () => this.#restrictions.poll() })
    this.#opened = this.#node.open()
  }

  async enter (room: string, connection: string, member: Member): Promise<void> {
    await this.#open()
    await this.#node.enter(room, connection, member)
  }

  async leave (room: string, connection: string): Promise<void> {
    await this.#open()
    this.#node.leave(room, connection)
  }

  async watch (room: string, seen: (now: Presence) => void): Promise<() => void> {
    return await this.#use(room, (view) => view.watch(seen))
  }

  signal (room: string, { typing }: Signal): void {
    if (this.#closing === undefined) this.#link.publish(channel(this.#link, room), JSON.stringify(typing))
  }

  async listen (room: string, heard: (signal: Signal) => void): Promise<() => void> {
    return await this.#use(room, (view) => view.listen(heard))
  }

  async restrict (who: string, what: Restriction): Promise<void> {
    await this.#open()
    await this.#restrictions.restrict(who, what)
  }

  async restrictions (who: readonly string[]): Promise<RestrictionsAt> {
    await this.#open()
    return await this.#restrictions.at(who)
  }

  onRestrict (call: (who: string, what: TimedRestriction) => void): () => void {
    const listener = { call }
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /**
   * Enters a room of its own, hears of it, reads and leaves it, and renews the lease. Rejects with FST_CHAT_STORE_DENIED
   * where the user of Redis lacks a right.
   */
  async check (): Promise<void> {
    await this.#open()
    const link = this.#link
    // No client's room has such a name.
    const room = `?${this.#node.name}`
    const keys = nodeKeys(link, room, '?')
    await tryOut(link, link.key(room, 'right'), channel(link, room), async () => {
      const told = await link.run(tell, keys, ['?', 1, CHECK_TTL, link.publishCommand, channel(link, room), 1, 1, '?', ''])
      await link.run(read, keys.slice(0, 3), [1])
      await link.run(sweep, keys, ['?', 1, link.publishCommand, channel(link, room)])
      await this.#node.check()
      await this.#restrictions.at(['?'])
      return told === 1
    })
  }

  close (): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Calls are carried out in their order: each waits for no more than this. */
  async #open (): Promise<void> {
    this.#assertOpen()
    await this.#opened
    this.#assertOpen()
  }

  #assertOpen (): void {
    if (this.#closing !== undefined) throw new RosterClosed()
  }

  async #use (...begin: Parameters<RosterNode['use']>): Promise<() => void> {
    await this.#open()
    const stop = await this.#node.use(...begin)
    this.#assertOpen()
    return stop
  }

  async #close (): Promise<void> {
    this.#listeners.clear()
    await Promise.race([this.#node.close(), pass(this.#timeout, undefined, { ref: false })])
    await this.#link.close()
  }
}
