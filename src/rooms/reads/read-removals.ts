/** The removals of a member's read positions, in all rooms. A read position that is loaded during a removal may be the removed one. */
export class ReadRemovals {
  /** Number of removals that have begun. */
  #count = 0
  /** The last removal of this node, until all of this node have settled. Never rejects. */
  #last: Promise<void> | undefined

  /** Called when a removal begins on this node. */
  begin (removed: Promise<void>): void {
    this.#count++
    const last = this.#last = removed.catch(() => {}).then(() => { if (this.#last === last) this.#last = undefined })
  }

  /** Called when another node has reported a removal. */
  reported (): void { this.#count++ }

  /** Calls `read` when no removal of this node is under way. Calls it again if a removal has begun meanwhile. Rejects as `read` does. */
  async load<Loaded> (read: () => Promise<Loaded>): Promise<Loaded> {
    for (;;) {
      // The store may still have a position that is being removed.
      while (this.#last !== undefined) await this.#last
      const count = this.#count
      const loaded = await read()
      if (count === this.#count) return loaded
    }
  }
}
