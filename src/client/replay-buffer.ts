/** Holds events until the first listener is attached, replays them then, and passes later ones through. */
export class ReplayBuffer<Event> {
  readonly #deliver: (event: Event) => void
  /** undefined: closed, events pass through */
  #events: Event[] | undefined = []

  constructor (deliver: (event: Event) => void) {
    this.#deliver = deliver
  }

  /** Whether events are held. */
  get open (): boolean { return this.#events !== undefined }

  /** Number of held events. */
  get size (): number { return this.#events?.length ?? 0 }

  /** Holds the event, or delivers it if the buffer is closed. */
  push (event: Event): void {
    if (this.#events === undefined) this.#deliver(event)
    else this.#events.push(event)
  }

  /** Replaces the held events by one. */
  replace (event: Event): void {
    if (this.#events !== undefined) this.#events = [event]
  }

  /** Delivers the held events in a microtask, when all listeners are attached, and closes the buffer. */
  replay (): void {
    if (this.#events === undefined) return
    queueMicrotask(() => {
      // A listener may end the room, which closes the buffer.
      for (let next = this.#events?.shift(); next !== undefined; next = this.#events?.shift()) this.#deliver(next)
      this.#events = undefined
    })
  }

  /** Drops the held events; later ones pass through. */
  close (): void { this.#events = undefined }
}
