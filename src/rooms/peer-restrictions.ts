import type { Connection } from '../connection/connection.ts'
import { Forbidden, Muted } from '../errors.ts'
import { CloseCode } from '../protocol.ts'
import type { RestrictionsAt, TimedRestriction } from '../roster.ts'

/** The restrictions of one member on one connection. */
export class PeerRestrictions {
  readonly #connection: Pick<Connection, 'close'>
  /** Reported before it is known what was in force at admission. */
  #early: TimedRestriction[] | undefined = []
  /** Everything up to this moment was applied at admission. */
  #known = 0
  #muteMoment = 0
  /** until: by the monotonic clock of this process. */
  #mute: { readonly until: number, readonly reason: string } | undefined
  #isBarred = false

  /** @param connection closed by a kick or a ban */
  constructor (connection: Pick<Connection, 'close'>) {
    this.#connection = connection
  }

  /** Whether there is nothing that could refuse a post. */
  get isEmpty (): boolean { return this.#mute === undefined && !this.#isBarred }

  /**
   * Applies what was in force at admission, and then what was reported meanwhile.
   * @param arrived the moment at which the admission began: the kicks before it were for other connections
   */
  admit (arrived: number, { moment, restrictions }: RestrictionsAt): void {
    const early = this.#early ?? []
    this.#early = undefined
    for (const what of restrictions) if (what.kind !== 'kick' || what.moment > arrived) this.apply(what)
    this.#known = this.#muteMoment = moment
    for (const what of early) this.apply(what)
  }

  /** Applies one. One that is reported again, or too late, changes nothing. */
  apply (what: TimedRestriction): void {
    if (this.#early !== undefined) this.#early.push(what)
    else if (what.kind === 'mute') this.#applyMute(what)
    else if (what.moment > this.#known && (what.kind === 'kick' || what.duration > 0)) this.#applyBar(what.reason)
  }

  /** @throws Muted, Forbidden */
  assertMayPost (room: string): void {
    if (this.#isBarred) throw new Forbidden('post', room)
    if (this.#mute === undefined) return
    if (this.#mute.until > performance.now()) throw new Muted(this.#mute.reason)
    this.#mute = undefined
  }

  #applyMute ({ moment, duration, reason }: Extract<TimedRestriction, { readonly duration: number }>): void {
    if (moment <= this.#muteMoment) return
    this.#muteMoment = moment
    this.#mute = duration > 0 ? { until: performance.now() + duration, reason } : undefined
  }

  #applyBar (reason: string): void {
    if (this.#isBarred) return
    this.#isBarred = true
    this.#connection.close(CloseCode.forbidden, reason)
  }
}
