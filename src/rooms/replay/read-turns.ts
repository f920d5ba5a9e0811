/** Messages that the reads of one turn of the event loop may cover. */
const TURN = 1_000

interface Waiting { readonly messages: number, readonly begin: () => void }

/**
 * Spreads pages of history, and pages of changes for members that resume, over the turns of the event loop, so that members that read
 * again and again don't delay the messages of others.
 */
export class ReadTurns {
  #left = TURN
  #waiting: Waiting[] = []
  #isScheduled = false

  /**
   * Resolves in the turn in which a read may begin, in the order of the calls; undefined if that is this turn.
   * @param messages maximum number of messages that the read returns
   */
  wait (messages: number): Promise<void> | undefined {
    this.#schedule()
    if (this.#waiting.length === 0 && this.#take(messages)) return undefined
    return new Promise((resolve) => this.#waiting.push({ messages, begin: resolve }))
  }

  /** Called when a read has ended, so that short reads share a turn. @param unused number of messages that it didn't return */
  release (unused: number): void {
    this.#left = Math.min(TURN, this.#left + unused)
    this.#beginWaiting()
  }

  /** Returns whether the read may begin in this turn. The first one of a turn always may. */
  #take (messages: number): boolean {
    if (this.#left < Math.min(messages, TURN)) return false
    this.#left -= messages
    return true
  }

  #schedule (): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => this.#beginTurn())
  }

  #beginTurn (): void {
    this.#isScheduled = false
    this.#left = TURN
    this.#beginWaiting()
  }

  #beginWaiting (): void {
    if (this.#waiting.length === 0) return
    this.#schedule()
    const blocked = this.#waiting.findIndex(({ messages }) => !this.#take(messages))
    const ready = blocked === -1 ? this.#waiting : this.#waiting.slice(0, blocked)
    this.#waiting = blocked === -1 ? [] : this.#waiting.slice(blocked)
    for (const { begin } of ready) begin()
  }
}
