/** A snapshot of one chat in this process. Counters start at 0 when the chat is registered. */
export interface Stats {
  /** open connections, including those of `/echo` */
  readonly connections: number
  /** distinct connected members */
  readonly members: number
  /** rooms in use in this process */
  readonly rooms: number
  /** messages stored by this process */
  readonly posts: number
  /** edits, deletions, reactions and ends of streamed texts stored by this process */
  readonly changes: number
  /** messages and changes written to members of this process; a message written to ten members counts ten times */
  readonly deliveries: number
  /** refused upgrades, and requests answered with an error, by error code */
  readonly refusals: Readonly<Record<string, number>>
  /** connections that the server ended, by reason, except those that it ended because it was stopping */
  readonly disconnects: Readonly<Record<string, number>>
  /** failed store calls, by error code; `other` for errors outside the store contract */
  readonly storeErrors: Readonly<Record<string, number>>
  /** pending bytes now; a buffer that clients share counts for each of them */
  readonly pendingBytes: number
}

/** Records durations, in seconds. */
export interface Timings {
  /** from a post until it is stored */
  appended (seconds: number): void
  /** from the store's delivery of the first message of a batch until the batch is written to the last member */
  delivered (seconds: number): void
}

/** Counts occurrences by label. */
export class Counts {
  readonly #counts = new Map<string, number>()

  add (label: string): void { this.#counts.set(label, (this.#counts.get(label) ?? 0) + 1) }

  toObject (): Record<string, number> { return Object.fromEntries(this.#counts) }
}

/** Counters of one chat, incremented where the events happen. */
export class Counters {
  /** The chat's prefix, which identifies it. */
  readonly chat: string
  /** Set if metrics are enabled; otherwise nothing is timed. */
  timings: Timings | undefined
  posts = 0
  changes = 0
  deliveries = 0
  readonly refusals = new Counts()
  readonly disconnects = new Counts()
  readonly storeErrors = new Counts()

  constructor (chat: string) {
    this.chat = chat
  }

  /** Returns the counters with the current state of the chat. */
  stats (state: Pick<Stats, 'connections' | 'members' | 'rooms' | 'pendingBytes'>): Stats {
    return {
      ...state,
      posts: this.posts,
      changes: this.changes,
      deliveries: this.deliveries,
      refusals: this.refusals.toObject(),
      disconnects: this.disconnects.toObject(),
      storeErrors: this.storeErrors.toObject()
    }
  }
}
