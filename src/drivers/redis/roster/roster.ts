import { setTimeout as sleep } from 'node:timers/promises'
import { RosterClosed } from '../../../errors.ts'
import { RedisClient } from '../client/client.ts'
import type { ConnectionLog } from '../client/connection-log.ts'
import type { ConnectionOptions } from '../client/options.ts'
import { checkRoundTrip } from '../client/permissions.ts'
import { DirectMessages } from './direct-messages.ts'
import { presenceChannel, nodeKeys } from './keys.ts'
import { RosterNode } from './node.ts'
import { Restrictions } from './restrictions.ts'
import { publishSignal } from './signals.ts'
import { readMembers, removeMembers, writeMembers } from './scripts/members.ts'
import type { Presence, PresentMember, Restriction, RestrictionsAt, Roster, Signal, TimedRestriction } from '../../../roster.ts'

/** Options of a `RedisRoster`. Each comment ends with the default. */
export interface RedisRosterOptions extends ConnectionOptions {
  /** ms before a leave is published; 5 s */
  readonly grace?: number | undefined
  /** ms that changes are collected before watchers are called; 100 ms */
  readonly coalesce?: number | undefined
  /** maximum number of listed members; 100 */
  readonly listed?: number | undefined
  /** ms until the members of a dead node are removed; must be the same on all nodes; 30 s */
  readonly lease?: number | undefined
}

/** ms until the keys of the test room expire */
const CHECK_TTL = 60_000

/**
 * Members and restrictions of all nodes that share a Redis.
 *
 * While Redis is down, watchers receive the last state with `stale: true`, and `restrict` and `restrictions` reject. The node
 * records members that enter or leave. When Redis is available again, the node writes its members, even if Redis has lost all
 * data, and receives the restrictions that it missed.
 */
export class RedisRoster implements Roster {
  readonly #client: RedisClient
  readonly #node: RosterNode
  readonly #directMessages: DirectMessages
  readonly #restrictions: Restrictions
  readonly #listeners = new Set<{ readonly call: (subject: string, restriction: TimedRestriction) => void }>()
  readonly #timeout: number
  readonly #opened: Promise<unknown>
  #closing: Promise<void> | undefined

  /** @param log logs failures of the connections */
  constructor ({ grace = 5_000, coalesce = 100, listed = 100, lease = 30_000, timeout = 5_000, ...redis }: RedisRosterOptions = {}, log?: ConnectionLog) {
    this.#timeout = timeout
    this.#client = new RedisClient({ ...redis, timeout }, log)
    this.#directMessages = new DirectMessages(this.#client)
    this.#restrictions = new Restrictions(this.#client, (subject, restriction) => {
      for (const { call } of this.#listeners) call(subject, restriction)
    })
    this.#node = new RosterNode(this.#client, {
      grace,
      coalesce,
      listed,
      lease,
      catchUp: () => this.#restrictions.catchUp(),
      poll: () => {
        this.#directMessages.retry()
        return this.#restrictions.poll()
      }
    })
    this.#opened = this.#node.open()
    this.#client.checkWhenUp(() => this.check())
  }

  async enter (room: string, connection: string, member: PresentMember): Promise<void> {
    await this.#open()
    await this.#node.enter(room, connection, member)
  }

  async leave (room: string, connection: string): Promise<void> {
    await this.#open()
    this.#node.leave(room, connection)
  }

  async watch (room: string, onPresence: (presence: Presence) => void): Promise<() => void> {
    return await this.#use(room, (view) => view.watch(onPresence))
  }

  signal (room: string, signal: Signal): void {
    if (this.#closing === undefined) publishSignal(this.#client, room, signal)
  }

  async listen (room: string, onSignal: (signal: Signal) => void): Promise<() => void> {
    return await this.#use(room, (view) => view.listen(onSignal))
  }

  async send (memberId: string, data: string): Promise<boolean> {
    await this.#open()
    return await this.#directMessages.send(memberId, data)
  }

  async attend (memberId: string, onData: (data: string) => void): Promise<() => void> {
    await this.#open()
    const stop = await this.#directMessages.attend(memberId, onData)
    this.#assertOpen()
    return stop
  }

  async restrict (subject: string, restriction: Restriction): Promise<void> {
    await this.#open()
    await this.#restrictions.restrict(subject, restriction)
  }

  async restrictions (subjects: readonly string[]): Promise<RestrictionsAt> {
    await this.#open()
    return await this.#restrictions.at(subjects)
  }

  onRestrict (call: (subject: string, restriction: TimedRestriction) => void): () => void {
    const listener = { call }
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /**
   * Enters a test room, receives the change, reads and leaves the room, and renews the lease. Rejects with
   * FST_CHAT_STORE_DENIED if the Redis user lacks a permission.
   */
  async check (): Promise<void> {
    await this.#open()
    const client = this.#client
    // A client can't join a room with this name.
    const room = `?${this.#node.name}`
    const keys = nodeKeys(client, room, '?')
    await checkRoundTrip(client, client.key(room, 'permission'), presenceChannel(client, room), async () => {
      const published = await client.run(writeMembers, keys, ['?', 1, CHECK_TTL, client.publishCommand, presenceChannel(client, room), 1, 1, '?', ' '])
      await client.run(readMembers, keys.slice(0, 3), [1])
      await client.run(removeMembers, keys, ['?', 1, client.publishCommand, presenceChannel(client, room)])
      await this.#node.check()
      await this.#restrictions.at(['?'])
      return published === 1
    })
  }

  close (): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Resolves when the roster is open. Calls wait for nothing else, so that they run in order. */
  async #open (): Promise<void> {
    this.#assertOpen()
    await this.#opened
    this.#assertOpen()
    if (this.#client.refusal !== undefined) throw this.#client.refusal
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
    this.#directMessages.close()
    await Promise.race([this.#node.close(), sleep(this.#timeout, undefined, { ref: false })])
    await this.#client.close()
  }
}
