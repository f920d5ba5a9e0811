import { unknownName } from './unknown-name.ts'

/** Typed events: `Events` maps each name to the type of its event. */
export class Emitter<Events> {
  /** The listeners of each event, and whether each receives only the next one. */
  readonly #listeners = new Map<string, Map<(event: never) => void, boolean>>()
  /** The event that is being delivered, and those after it. */
  readonly #queue: Array<{ readonly name: string, readonly event: unknown }> = []

  constructor (names: ReadonlyArray<keyof Events & string>) {
    for (const name of names) this.#listeners.set(name, new Map())
  }

  /** Adds a listener. Returns an unsubscribe function. @throws TypeError for an unknown event or a listener that isn't a function */
  on<Name extends keyof Events & string> (name: Name, listener: (event: Events[Name]) => void): () => void {
    return this.add(name, listener, false)
  }

  /**
   * Adds a listener for the next event only. Returns an unsubscribe function. Without a listener, returns a promise of the event, which
   * stays pending if the event never occurs. @throws TypeError as `on`
   */
  once<Name extends keyof Events & string> (name: Name): Promise<Events[Name]>
  once<Name extends keyof Events & string> (name: Name, listener: (event: Events[Name]) => void): () => void
  once<Name extends keyof Events & string> (name: Name, listener?: (event: Events[Name]) => void): unknown {
    return listener === undefined ? new Promise<Events[Name]>((resolve) => this.add(name, resolve, true)) : this.add(name, listener, true)
  }

  /** Removes a listener that `on` or `once` has added. */
  off<Name extends keyof Events & string> (name: Name, listener: (event: Events[Name]) => void): void {
    this.#listeners.get(name)?.delete(listener)
  }

  /** Keeps Vue from wrapping the object in a proxy, which has no access to private members. */
  get [Symbol.toStringTag] (): string { return 'Emitter' }

  protected add<Name extends keyof Events & string> (name: Name, listener: (event: Events[Name]) => void, once: boolean): () => void {
    const problem = unknownName('event', [name], [...this.#listeners.keys()])
    if (problem !== undefined) throw new TypeError(problem)
    if (typeof listener !== 'function') throw new TypeError(`the listener of '${name}' must be a function`)
    this.#listeners.get(name)!.set(listener, once)
    return () => { this.off(name, listener) }
  }

  /**
   * Calls the listeners of an event. An event that a listener emits is queued until the current one is delivered, so that
   * all listeners receive the events in the same order. An exception of a listener is uncaught. The other listeners still run.
   */
  protected emit<Name extends keyof Events & string> (name: Name, event: Events[Name]): void {
    if (this.#queue.push({ name, event }) > 1) return
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      const listeners = this.#listeners.get(next.name)!
      for (const [listener, once] of [...listeners]) {
        if (once) listeners.delete(listener)
        try {
          (listener as (event: unknown) => void)(next.event)
        } catch (error) {
          queueMicrotask(() => { throw error })
        }
      }
      this.#queue.shift()
    }
  }

  /** Drops the queued events. */
  protected drop (): void { this.#queue.splice(1) }
}
