/** Whether commands and subscriptions work, and since when. */
export class ConnectionState {
  readonly #timeout: number
  readonly #upListeners = new Set<() => void>()
  readonly #downListeners = new Set<() => void>()
  /** `performance.now()` in ms since which commands can't be sent; undefined while they can. */
  #downSince: number | undefined = performance.now()
  /** `performance.now()` in ms since which commands and subscriptions work; undefined while they don't. */
  #upSince: number | undefined
  #closed = false

  /** @param timeout ms without Redis after which commands fail at once */
  constructor (timeout: number) {
    this.#timeout = timeout
  }

  /** ms since commands and subscriptions began to work; 0 while they don't */
  get upFor (): number { return this.#upSince === undefined ? 0 : performance.now() - this.#upSince }

  /** Whether commands fail at once, because Redis has been down for longer than the timeout. */
  get failsFast (): boolean {
    return this.#closed || (this.#downSince !== undefined && performance.now() - this.#downSince > this.#timeout)
  }

  /**
   * Calls the listener each time that commands and subscriptions begin to work, also the first time. Messages published
   * during a break are lost: the listener must read what it missed. Returns an unsubscribe function.
   */
  onUp (listener: () => void): () => void {
    this.#upListeners.add(listener)
    return () => this.#upListeners.delete(listener)
  }

  /** Calls the listener each time that commands or subscriptions stop working. Returns an unsubscribe function. */
  onDown (listener: () => void): () => void {
    this.#downListeners.add(listener)
    return () => this.#downListeners.delete(listener)
  }

  /** @param ready whether commands can be sent @param live whether subscriptions work */
  update (ready: boolean, live: boolean): void {
    if (this.#closed) return
    this.#downSince = ready ? undefined : this.#downSince ?? performance.now()
    const up = ready && live
    if (up === (this.#upSince !== undefined)) return
    this.#upSince = up ? performance.now() : undefined
    for (const listener of up ? this.#upListeners : this.#downListeners) listener()
  }

  close (): void {
    this.#closed = true
    this.#upListeners.clear()
    this.#downListeners.clear()
  }
}
