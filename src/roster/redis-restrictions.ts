import type { RedisLink } from '../redis/link.ts'
import { restrict, saidSince } from './redis-scripts.ts'
import { Subscription } from './redis-subscription.ts'
import type { Restriction } from './roster.ts'

/** The last moment that a date can name, in ms. */
const FOREVER = 8.64e15

/** Restrictions told again at a time. */
const PAGE = 1_000

/** µs before the last look that the next begins: the clock of a Redis that takes over may be behind. */
const OVERLAP = 60_000_000

/** What was said of whom, on any node. */
export class Restrictions {
  readonly #link: RedisLink
  readonly #told: (who: string, what: Restriction) => void
  readonly #keys: string[]
  readonly #channel: string
  readonly #subscription: Subscription
  /** When Redis was last asked what was said, by its clock in µs. */
  #asked: number | undefined

  constructor (link: RedisLink, told: (who: string, what: Restriction) => void) {
    this.#link = link
    this.#told = told
    this.#keys = ['restrictions', 'said', 'ends'].map((rest) => link.key('roster', rest))
    this.#channel = link.key('roster', 'restricted')
    this.#subscription = new Subscription(link, this.#channel, (message) => {
      const [who, what] = JSON.parse(message.toString()) as [string, Restriction]
      told(who, what)
    })
  }

  async restrict (who: string, { kind, until, reason }: Restriction): Promise<void> {
    const what = { kind, until: Math.min(until, FOREVER), reason }
    const end = kind === 'kick' ? 0 : what.until
    await this.#link.run(restrict, this.#keys, [
      field(kind, who), JSON.stringify(what), end, this.#link.publishCommand, this.#channel, JSON.stringify([who, what])])
  }

  async inForce (who: readonly string[]): Promise<Restriction[]> {
    if (who.length === 0) return []
    const fields = who.flatMap((each) => [field('mute', each), field('ban', each)])
    const found = await this.#link.command('hmget', this.#keys[0]!, ...fields) as Array<string | null>
    const now = Date.now()
    return found.filter((what) => what !== null).map((what) => JSON.parse(what) as Restriction).filter(({ until }) => until > now)
  }

  /** Tells again what was said since it was last asked, also what was lifted: some of it wasn't heard. */
  async catchUp (): Promise<void> {
    await this.#subscription.start()
    let from = this.#asked === undefined ? '+inf' : this.#asked - OVERLAP
    for (let more = true; more;) {
      const [now, fields, at, what] = await this.#link.run(saidSince, this.#keys.slice(0, 2), [from, PAGE]) as [number, string[], string[], string[]]
      for (const [i, name] of fields.entries()) {
        if (what[i] !== '') this.#told(name.slice(name.indexOf(' ') + 1), JSON.parse(what[i]!) as Restriction)
      }
      more = fields.length === PAGE
      if (more) from = at.at(-1)!
      else this.#asked = now
    }
  }
}

/** Kinds have no spaces in them. */
function field (kind: Restriction['kind'], who: string): string {
  return `${kind} ${who}`
}
