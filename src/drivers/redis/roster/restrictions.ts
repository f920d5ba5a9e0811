import type { RedisLink } from '../client/client.ts'
import { restrict, restrictionsAt, restrictionsSince } from './scripts.ts'
import { Subscription } from './subscription.ts'
import { checkedRestriction } from '../../restriction-checks.ts'
import { KICK_KEPT, type Restriction, type RestrictionsAt, type TimedRestriction } from '../../../roster.ts'

/** Restrictions read at a time. */
const PAGE = 1_000

/** µs before the last look that the next begins: a Redis that takes over may not have the last of them. */
const OVERLAP = 60_000_000

/** As the scripts return them: field, moment, ms left, reason. */
type Row = [field: string, moment: string, left: string, reason: string]

type Listener = (who: string, what: TimedRestriction) => void

/** The restrictions of a chat in Redis. */
export class Restrictions {
  readonly #link: RedisLink
  readonly #listener: Listener
  readonly #keys: string[]
  readonly #channel: string
  readonly #subscription: Subscription
  /** Everything up to this moment was reported to the listener, or is older than every connection of this node. */
  #reported: number | undefined

  constructor (link: RedisLink, listener: Listener) {
    this.#link = link
    this.#listener = listener
    this.#keys = ['restrictions', 'said', 'ends', 'moment'].map((rest) => link.key('roster', rest))
    this.#channel = link.key('roster', 'restricted')
    this.#subscription = new Subscription(link, this.#channel, (message) => {
      const [, moment, what] = /^(\d+) (.*)$/s.exec(message.toString()) ?? []
      if (moment === undefined) throw new SyntaxError(`not a restriction on the channel ${this.#channel}`)
      const [name, left, reason] = JSON.parse(what!) as [string, number, string]
      this.#report([name, moment, String(left), reason])
    })
  }

  /** Resolves when it is kept and the listener was called. @throws InvalidArgument */
  async restrict (who: string, given: Restriction): Promise<void> {
    const what = checkedRestriction(who, given)
    const [duration, kept] = what.kind === 'kick' ? [0, KICK_KEPT] : [what.duration, what.duration]
    const name = field(what.kind, who)
    const message = JSON.stringify([name, duration, what.reason])
    const moment = await this.#link.run(restrict, this.#keys, [name, duration, kept, what.reason, this.#link.publishCommand, this.#channel, message])
    this.#listener(who, { ...what, moment: Number(moment) })
  }

  async at (who: readonly string[]): Promise<RestrictionsAt> {
    const fields = who.flatMap((each) => [field('kick', each), field('mute', each), field('ban', each)])
    const [at, rows] = await this.#link.run(restrictionsAt, this.#keys, fields) as [string, Row[]]
    const moment = Number(at)
    this.#reported ??= moment
    const restrictions = rows.map((row) => restrictionOf(row)).filter((what) => what.kind === 'kick' || what.duration > 0)
    return { moment, restrictions }
  }

  /** Subscribes, and reports again what may have been missed during a break, also what was lifted. */
  async catchUp (): Promise<void> {
    await this.#subscription.start()
    await this.poll()
  }

  /** Reports again what was said since the last look: a message may have been lost, or there is no subscription. */
  async poll (): Promise<void> {
    await this.#reportSince(this.#reported === undefined ? '+inf' : this.#reported - OVERLAP)
  }

  async #reportSince (from: number | string): Promise<void> {
    for (let more = true; more;) {
      const [now, rows] = await this.#link.run(restrictionsSince, this.#keys, [from, PAGE]) as [string, Row[]]
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

/** Kinds have no spaces in them. */
function field (kind: Restriction['kind'], who: string): string {
  return `${kind} ${who}`
}

function restrictionOf ([name, moment, left, reason]: Row): TimedRestriction {
  const kind = name.slice(0, name.indexOf(' ')) as Restriction['kind']
  return kind === 'kick'
    ? { kind, reason, moment: Number(moment) }
    : { kind, reason, moment: Number(moment), duration: Number(left) }
}
