export type Snapshots<Snapshot extends object> = ReturnType<typeof snapshots<Snapshot>>

/**
 * Takes snapshots of a state when they are needed, and notifies listeners of new ones.
 * @param take returns the current state
 */
export function snapshots<Snapshot extends object> (take: () => Snapshot) {
  const listeners = new Set<() => void>()
  let snapshot = take()
  let notified = snapshot
  let isCurrent = true
  let isScheduled = false

  /** Returns the same object until the state has changed. */
  function get (): Snapshot {
    if (!isCurrent) {
      isCurrent = true
      snapshot = reuse(snapshot, take())
    }
    return snapshot
  }

  return {
    get,

    subscribe (listener: () => void): () => void {
      listeners.add(listener)
      return () => { listeners.delete(listener) }
    },

    /** Called when the state may have changed. Listeners are notified in a later task, once for all changes until then. */
    onChange (): void {
      isCurrent = false
      if (isScheduled || listeners.size === 0) return
      isScheduled = true
      setTimeout(() => {
        isScheduled = false
        if (get() === notified) return
        notified = snapshot
        // An exception of a listener is uncaught. The other listeners still run.
        for (const listener of listeners) queueMicrotask(() => { if (listeners.has(listener)) listener() })
      })
    },

    close (): void { listeners.clear() }
  }
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
