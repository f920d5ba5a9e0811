/** Takes snapshots of a state when they are needed, and notifies listeners of new ones. */
export class Snapshots<Snapshot extends object> {
  readonly #take: () => Snapshot
  readonly #listeners = new Set<() => void>()
  #snapshot: Snapshot
  #notified: Snapshot
  #isCurrent = true
  #isScheduled = false

  constructor (take: () => Snapshot) {
    this.#take = take
    this.#snapshot = this.#notified = take()
  }

  /** Returns the same object until the state has changed. */
  get (): Snapshot {
    if (!this.#isCurrent) {
      this.#isCurrent = true
      this.#snapshot = reuse(this.#snapshot, this.#take())
    }
    return this.#snapshot
  }

  subscribe (listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** Called when the state may have changed. Listeners are notified in a later task, once for all changes until then. */
  onChange (): void {
    this.#isCurrent = false
    if (this.#isScheduled || this.#listeners.size === 0) return
    this.#isScheduled = true
    setTimeout(() => {
      this.#isScheduled = false
      if (this.get() === this.#notified) return
      this.#notified = this.#snapshot
      // An exception of a listener is uncaught. The other listeners still run.
      for (const listener of this.#listeners) queueMicrotask(() => { if (this.#listeners.has(listener)) listener() })
    })
  }

  close (): void { this.#listeners.clear() }
}

/** Returns a snapshot with the parts of the one before that have not changed, or the one before if nothing has changed. */
function reuse<Snapshot extends object> (before: Snapshot, after: Snapshot): Snapshot {
  let isSame = true
  for (const name of Object.keys(after) as Array<keyof Snapshot>) {
    const [old, now] = [before[name], after[name]]
    if (Array.isArray(old) && Array.isArray(now) && old.length === now.length && old.every((each, i) => each === now[i])) after[name] = old
    if (after[name] !== old) isSame = false
  }
  return isSame ? before : after
}
