/** Typed events: `Events` maps each name to what its listeners get. */
export class Emitter<Events> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>()
  readonly #due: Array<{ name: keyof Events, event: unknown }> = []
  #emitting = false

  /** Calls the listener at each such event; gives how to stop. */
  on<Name extends keyof Events> (name: Name, listener: (event: Events[Name]) => void): () => void {
    let listeners = this.#listeners.get(name)
    if (listeners === undefined) this.#listeners.set(name, listeners = new Set())
    listeners.add(listener)
    return () => { listeners.delete(listener) }
  }

  /**
   * An event that a listener causes comes after the one it hears, so that all listeners hear one order. A listener that
   * throws is reported as any uncaught error is, and keeps nobody else from hearing.
   */
  protected emit<Name extends keyof Events> (name: Name, event: Events[Name]): void {
    this.#due.push({ name, event })
    if (this.#emitting) return
    this.#emitting = true
    for (let next = this.#due.shift(); next !== undefined; next = this.#due.shift()) {
      for (const listener of [...this.#listeners.get(next.name) ?? []]) {
        try {
          (listener as (event: unknown) => void)(next.event)
        } catch (error) {
          queueMicrotask(() => { throw error })
        }
      }
    }
    this.#emitting = false
  }

  /** What waits for its turn, nobody hears. */
  protected forget (): void { this.#due.length = 0 }
}
