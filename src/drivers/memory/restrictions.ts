import { checkedRestriction } from '../restriction-checks.ts'
import { KICK_KEPT, type Restriction, type RestrictionsAt, type TimedRestriction } from '../../roster.ts'

/** Minimum number of subjects at which restrictions that have ended are removed. */
const MIN_SWEPT = 1_000

/** `ends`: ms of `performance.now()`, so that setting the system clock has no effect. */
interface Kept { readonly restriction: Restriction, readonly moment: number, readonly ends: number }

/** The restrictions of a chat in the memory of this process. */
export class MemoryRestrictions {
  readonly #kept = new Map<string, Map<Restriction['kind'], Kept>>()
  readonly #listeners = new Set<{ readonly call: (subject: string, restriction: TimedRestriction) => void }>()
  #moment = 0
  #sweepAt = MIN_SWEPT

  /** @throws InvalidArgument */
  restrict (subject: string, given: Restriction): void {
    const restriction = checkedRestriction(subject, given)
    const keptFor = restriction.kind === 'kick' ? KICK_KEPT : restriction.duration
    const kept = { restriction, moment: ++this.#moment, ends: performance.now() + keptFor }
    let kinds = this.#kept.get(subject)
    if (restriction.kind !== 'kick' && restriction.duration === 0) {
      kinds?.delete(restriction.kind)
      if (kinds?.size === 0) this.#kept.delete(subject)
    } else {
      this.#sweep()
      if (kinds === undefined) this.#kept.set(subject, kinds = new Map())
      kinds.set(restriction.kind, kept)
    }
    for (const { call } of this.#listeners) call(subject, { ...restriction, moment: kept.moment })
  }

  at (subjects: readonly string[]): RestrictionsAt {
    const now = performance.now()
    const restrictions: TimedRestriction[] = []
    for (const { restriction: kept, moment, ends } of subjects.flatMap((each) => [...this.#kept.get(each)?.values() ?? []])) {
      if (ends <= now) continue
      restrictions.push(kept.kind === 'kick' ? { ...kept, moment } : { ...kept, moment, duration: ends - now })
    }
    return { moment: this.#moment, restrictions }
  }

  subscribe (call: (subject: string, restriction: TimedRestriction) => void): () => void {
    const listener = { call }
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  close (): void { this.#listeners.clear() }

  /** Removes restrictions that have ended. Runs when the subjects have doubled, so its cost per restriction is constant. */
  #sweep (): void {
    if (this.#kept.size < this.#sweepAt) return
    const now = performance.now()
    for (const [subject, kinds] of this.#kept) {
      for (const [kind, { ends }] of kinds) if (ends <= now) kinds.delete(kind)
      if (kinds.size === 0) this.#kept.delete(subject)
    }
    this.#sweepAt = Math.max(MIN_SWEPT, this.#kept.size * 2)
  }
}
