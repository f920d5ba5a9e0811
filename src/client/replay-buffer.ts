/** Keeps events until the first listener is attached. Then replays them, and delivers later events directly. */
export class ReplayBuffer<Event> {
  readonly #deliver: (event: Event) => void
  /** undefined: the buffer is closed, and events are delivered directly */
  #events: Event[] | undefined = []

  constructor (deliver: (event: Event) => void) {
    this.#deliver = deliver
  }

  /** Whether events are kept. */
  get open (): boolean { return this.#events !== undefined }

  /** Number of kept events. */
  get size (): number { return this.#events?.length ?? 0 }

  /** Keeps the event, or delivers it if the buffer is closed. */
  push (event: Event): void {
    if (this.#events === undefined) this.#deliver(event)
    else this.#events.push(event)
  }

  /** Replaces the kept events with one. */
  replace (event: Event): void {
    if (this.#events !== undefined) this.#events = [event]
  }

  /** Delivers the kept events in a microtask, when all listeners are attached. Then closes the buffer. */
  replay (): void {
    if (this.#events === undefined) return
    queueMicrotask(() => {
      // A listener may end the room, which closes the buffer.
      for (let next = this.#events?.shift(); next !== undefined; next = this.#events?.shift()) this.#deliver(next)
      this.#events = undefined
    })
  }

  /** Drops the kept events. Later events are delivered directly. */
  close (): void { this.#events = undefined }
}
