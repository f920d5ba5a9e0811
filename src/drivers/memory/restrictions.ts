import { checkedRestriction } from '../restriction-checks.ts'
import { KICK_KEPT, type Restriction, type RestrictionsAt, type TimedRestriction } from '../../roster.ts'

/** Restrictions kept before those that have ended are looked for. */
const LEAST_SWEPT = 1_000

/** ends: by the monotonic clock of this process. */
interface Kept { readonly what: Restriction, readonly moment: number, readonly ends: number }

/** The restrictions of a chat in the memory of this process. */
export class MemoryRestrictions {
  readonly #kept = new Map<string, Map<Restriction['kind'], Kept>>()
  readonly #listeners = new Set<{ readonly call: (who: string, what: TimedRestriction) => void }>()
  #moment = 0
  #sweepAt = LEAST_SWEPT

  /** @throws InvalidArgument */
  restrict (who: string, given: Restriction): void {
    const what = checkedRestriction(who, given)
    const kept = { what, moment: ++this.#moment, ends: performance.now() + (what.kind === 'kick' ? KICK_KEPT : what.duration) }
    let kinds = this.#kept.get(who)
    if (what.kind !== 'kick' && what.duration === 0) {
      kinds?.delete(what.kind)
      if (kinds?.size === 0) this.#kept.delete(who)
    } else {
      this.#sweep()
      if (kinds === undefined) this.#kept.set(who, kinds = new Map())
      kinds.set(what.kind, kept)
    }
    for (const { call } of this.#listeners) call(who, { ...what, moment: kept.moment })
  }

  at (who: readonly string[]): RestrictionsAt {
    const now = performance.now()
    const restrictions: TimedRestriction[] = []
    for (const { what, moment, ends } of who.flatMap((each) => [...this.#kept.get(each)?.values() ?? []])) {
      if (ends <= now) continue
      restrictions.push(what.kind === 'kick' ? { ...what, moment } : { ...what, moment, duration: ends - now })
    }
    return { moment: this.#moment, restrictions }
  }

  subscribe (call: (who: string, what: TimedRestriction) => void): () => void {
    const listener = { call }
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  close (): void { this.#listeners.clear() }

  /** Each time there are twice as many, so that it costs each of them little. */
  #sweep (): void {
    if (this.#kept.size < this.#sweepAt) return
    const now = performance.now()
    for (const [who, kinds] of this.#kept) {
      for (const [kind, { ends }] of kinds) if (ends <= now) kinds.delete(kind)
      if (kinds.size === 0) this.#kept.delete(who)
    }
    this.#sweepAt = Math.max(LEAST_SWEPT, this.#kept.size * 2)
  }
}
