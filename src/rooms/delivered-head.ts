import type { ChangeCursor, Head } from '../change.ts'
import { parseRevision } from '../drivers/revision.ts'

/** A page that contains changes or controls that the feed hasn't delivered. */
interface Waiting {
  readonly head: Head
  /** Number of the last change that the feed had delivered when the page was requested. */
  readonly requested: number
  /** Called with whether the page may be used. */
  readonly settle: (isUsable: boolean) => void
}

/**
 * What the feed of a room has delivered. A page that the room reads from the store may contain more: entries that were stored after a
 * control that the room hasn't applied. Such a page is kept back.
 */
export class DeliveredHead {
  #head: Head | undefined
  /** Number of breaks that the feed has reported. */
  #breaks = 0
  /** Created when a page waits. */
  #waiting: Set<Waiting> | undefined
  #isClosed = false

  /** Undefined until the room follows its feed. */
  get head (): Head | undefined { return this.#head }

  /** Called when the controls, entries and changes up to a head were applied, or when the feed begins after it. */
  advance (head: Head): void {
    this.#head = head
    for (const waiting of this.#waiting ?? []) if (this.#reaches(waiting)) this.#settle(waiting, true)
  }

  /** Called when the feed reports a break. Numbers before and after it can't be compared: pages that wait are read again. */
  restart (head: Head): void {
    this.#head = head
    this.#breaks++
    for (const waiting of this.#waiting ?? []) this.#settle(waiting, false)
  }

  /** Called when the feed delivers no more. */
  close (): void {
    this.#isClosed = true
    for (const waiting of this.#waiting ?? []) this.#settle(waiting, true)
  }

  /** Resolves with the page that `read` resolves with, once the feed has delivered what it contains. */
  async read<Page extends { readonly head: Head }> (read: () => Promise<Page>): Promise<Page> {
    for (;;) {
      const breaks = this.#breaks
      const requested = this.#head?.change.number
      const page = await read()
      // Before the room follows its feed, the caller compares the heads.
      if (requested === undefined || this.#isClosed) return page
      if (breaks === this.#breaks && await this.#reach(page.head, requested)) return page
    }
  }

  #reach (head: Head, requested: number): boolean | Promise<boolean> {
    if (this.#reaches({ head, requested })) return true
    return new Promise((resolve) => { (this.#waiting ??= new Set()).add({ head, requested, settle: resolve }) })
  }

  /** A page isn't older than what was delivered before it was requested, unless it is of another epoch. */
  #reaches ({ head: { offset, change }, requested }: Pick<Waiting, 'head' | 'requested'>): boolean {
    const delivered = this.#head!.change
    if (offset === 0 && change.number === 0) return true
    // The feed delivers the rest of the epoch first, which may have further controls, and then a break.
    if (epochOf(change) !== epochOf(delivered)) return false
    if (change.number === delivered.number) return change.number === 0 || change.revision === delivered.revision
    return change.number < delivered.number && change.number >= requested
  }

  #settle (waiting: Waiting, isUsable: boolean): void {
    this.#waiting?.delete(waiting)
    waiting.settle(isUsable)
  }
}

/** Returns the epoch of a change; undefined for a store whose revisions have another form. */
function epochOf ({ revision }: ChangeCursor): string | undefined { return parseRevision(revision)?.epoch }
