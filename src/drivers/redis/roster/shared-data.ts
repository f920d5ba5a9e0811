/** The data of listed members by tag, kept once for all rooms of this node that list a member with it. */
export class SharedData {
  readonly #texts = new Map<string, { readonly text: string, rooms: number }>()

  get size (): number { return this.#texts.size }

  /** Called when a room lists a member with this data. Returns the kept text. */
  add (tag: string, text: string): string {
    let kept = this.#texts.get(tag)
    if (kept === undefined) this.#texts.set(tag, kept = { text, rooms: 0 })
    kept.rooms++
    return kept.text
  }

  /** Called when a room no longer lists a member with this data. */
  delete (tag: string): void {
    const kept = this.#texts.get(tag)
    if (kept !== undefined && --kept.rooms === 0) this.#texts.delete(tag)
  }
}
