import type { Connection } from '../../connection/connection.ts'
import { Forbidden, Muted } from '../../errors.ts'
import { CloseCode } from '../../protocol.ts'
import type { RestrictionsAt, TimedRestriction } from '../../roster.ts'

/** The restrictions of one peer. */
export class PeerRestrictions {
  readonly #connection: Pick<Connection, 'close'>
  /** Restrictions that were reported before `admit`; undefined afterwards. */
  #early: TimedRestriction[] | undefined = []
  /** Restrictions up to this moment were applied by `admit`. */
  #known = 0
  /** The last mute, or its end. until: as of `performance.now()`. */
  #mute: { readonly moment: number, readonly until: number, readonly reason: string } | undefined
  #isBarred = false

  /** @param connection closed by a kick or a ban */
  constructor (connection: Pick<Connection, 'close'>) {
    this.#connection = connection
  }

  /** Whether no restriction could refuse a post or a change. */
  get isEmpty (): boolean { return !this.#isMuted && !this.#isBarred }

  /**
   * Applies the restrictions in force at admission, then those that were reported meanwhile.
   * @param arrived the moment at which the admission began; earlier kicks don't apply to this connection
   */
  admit (arrived: number, { moment, restrictions }: RestrictionsAt): void {
    const early = this.#early ?? []
    this.#early = undefined
    for (const restriction of restrictions) {
      if (restriction.kind !== 'kick' || restriction.moment > arrived) this.apply(restriction)
    }
    this.#known = moment
    for (const restriction of early) this.apply(restriction)
  }

  /** Applies a restriction. A repeated or outdated one changes nothing. */
  apply (restriction: TimedRestriction): void {
    if (this.#early !== undefined) this.#early.push(restriction)
    else if (restriction.kind === 'mute') this.#applyMute(restriction)
    else if (restriction.moment > this.#known && (restriction.kind === 'kick' || restriction.duration > 0)) {
      this.#applyBar(restriction.reason)
    }
  }

  /** @param action for the error @throws Muted, Forbidden */
  assertMay (action: 'post' | 'edit' | 'delete' | 'react', room: string): void {
    if (this.#isBarred) throw new Forbidden(action, room)
    if (this.#isMuted) throw new Muted(this.#mute!.reason)
  }

  get #isMuted (): boolean { return this.#mute !== undefined && this.#mute.until > performance.now() }

  #applyMute ({ moment, duration, reason }: Extract<TimedRestriction, { readonly duration: number }>): void {
    if (moment <= Math.max(this.#known, this.#mute?.moment ?? 0)) return
    this.#mute = { moment, until: performance.now() + duration, reason }
  }

  #applyBar (reason: string): void {
    if (this.#isBarred) return
    this.#isBarred = true
    this.#connection.close(CloseCode.forbidden, reason)
  }
}
