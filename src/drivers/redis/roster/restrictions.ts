import type { RedisClient } from '../client/client.ts'
import { restrictionChannel, restrictionKeys } from './keys.ts'
import { restrict, restrictionsAt, restrictionsSince } from './scripts/restrictions.ts'
import { Subscription } from './subscription.ts'
import { checkedRestriction } from '../../restriction-checks.ts'
import { KICK_KEPT, type Restriction, type RestrictionsAt, type TimedRestriction } from '../../../roster.ts'

/** Maximum restrictions per read. */
const PAGE = 1_000

/** µs by which a poll overlaps the previous one, because a replica that becomes master may lack the last restrictions. */
const OVERLAP = 60_000_000

/** A restriction as the scripts return it: field, moment, ms left, reason. */
type Row = [field: string, moment: string, left: string, reason: string]

type Listener = (subject: string, restriction: TimedRestriction) => void

/** Restrictions of a chat, stored in Redis. */
export class Restrictions {
  readonly #client: RedisClient
  readonly #listener: Listener
  readonly #keys: string[]
  readonly #channel: string
  readonly #subscription: Subscription
  /** Restrictions up to this moment were reported to the listener, or are older than every connection of this node. */
  #reported: number | undefined

  constructor (client: RedisClient, listener: Listener) {
    this.#client = client
    this.#listener = listener
    this.#keys = restrictionKeys(client)
    this.#channel = restrictionChannel(client)
    this.#subscription = new Subscription(client, this.#channel, (message) => {
      const [, moment, json] = /^(\d+) (.*)$/s.exec(message.toString()) ?? []
      if (moment === undefined) throw new SyntaxError(`invalid restriction on the channel ${this.#channel}`)
      const [name, left, reason] = JSON.parse(json!) as [string, number, string]
      this.#report([name, moment, String(left), reason])
    })
  }

  /** Resolves when the restriction is stored and the listener was called. @throws InvalidArgument */
  async restrict (subject: string, given: Restriction): Promise<void> {
    const restriction = checkedRestriction(subject, given)
    const [duration, kept] = restriction.kind === 'kick' ? [0, KICK_KEPT] : [restriction.duration, restriction.duration]
    const name = field(restriction.kind, subject)
    const message = JSON.stringify([name, duration, restriction.reason])
    const moment = await this.#client.run(restrict, this.#keys, [
      name, duration, kept, restriction.reason, this.#client.publishCommand, this.#channel, message
    ])
    this.#listener(subject, { ...restriction, moment: Number(moment) })
  }

  async at (subjects: readonly string[]): Promise<RestrictionsAt> {
    const fields = subjects.flatMap((subject) => [field('kick', subject), field('mute', subject), field('ban', subject)])
    const [at, rows] = await this.#client.run(restrictionsAt, this.#keys, fields) as [string, Row[]]
    const moment = Number(at)
    this.#reported ??= moment
    const restrictions = rows.map((row) => restrictionOf(row)).filter((each) => each.kind === 'kick' || each.duration > 0)
    return { moment, restrictions }
  }

  /** Subscribes. Reports restrictions that may have been missed during a disconnect, including lifted ones. */
  async catchUp (): Promise<void> {
    await this.#subscription.start()
    await this.poll()
  }

  /** Reports the restrictions since the last poll. This covers lost messages and a missing subscription. */
  async poll (): Promise<void> {
    await this.#reportSince(this.#reported === undefined ? '+inf' : this.#reported - OVERLAP)
  }

  async #reportSince (from: number | string): Promise<void> {
    for (let more = true; more;) {
      const [now, rows] = await this.#client.run(restrictionsSince, this.#keys, [from, PAGE]) as [string, Row[]]
      for (const row of rows) this.#report(row)
      more = rows.length === PAGE
      if (more) from = rows.at(-1)![1]
      else this.#reported = Number(now)
    }
  }

  #report (row: Row): void {
    this.#listener(row[0].slice(row[0].indexOf(' ') + 1), restrictionOf(row))
  }
}

/** Returns the field of a restriction: its kind, a space, and its subject. A kind contains no spaces. */
function field (kind: Restriction['kind'], subject: string): string {
  return `${kind} ${subject}`
}

function restrictionOf ([name, moment, left, reason]: Row): TimedRestriction {
  const kind = name.slice(0, name.indexOf(' ')) as Restriction['kind']
  return kind === 'kick'
    ? { kind, reason, moment: Number(moment) }
    : { kind, reason, moment: Number(moment), duration: Number(left) }
}
