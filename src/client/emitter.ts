import { unknownName } from './unknown-name.ts'

/** Typed events: `Events` maps each name to the type of its event. */
export class Emitter<Events> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>()
  readonly #queue: Array<{ name: keyof Events, event: unknown }> = []
  readonly #names: ReadonlyArray<keyof Events & string>
  #emitting = false

  constructor (names: ReadonlyArray<keyof Events & string>) {
    this.#names = names
  }

  /** Adds a listener. Returns an unsubscribe function. @throws TypeError for an unknown event or a listener that isn't a function */
  on<Name extends keyof Events & string> (name: Name, listener: (event: Events[Name]) => void): () => void {
    const problem = unknownName('event', [name], this.#names)
    if (problem !== undefined) throw new TypeError(problem)
    if (typeof listener !== 'function') throw new TypeError(`the listener of '${name}' must be a function`)
    let listeners = this.#listeners.get(name)
    if (listeners === undefined) this.#listeners.set(name, listeners = new Set())
    listeners.add(listener)
    return () => { listeners.delete(listener) }
  }

  /**
   * Calls the listeners of an event. An event that a listener emits is queued until the current one is delivered, so that
   * all listeners receive the events in the same order. An exception of a listener is uncaught. The other listeners still run.
   */
  protected emit<Name extends keyof Events> (name: Name, event: Events[Name]): void {
    this.#queue.push({ name, event })
    if (this.#emitting) return
    this.#emitting = true
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
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

  /** Drops the queued events. */
  protected drop (): void { this.#queue.length = 0 }
}
