/** A snapshot of one chat in this process. Counts are since it was registered. */
export interface Stats {
  /** open connections, of `/echo` too */
  readonly connections: number
  /** different members */
  readonly members: number
  /** rooms in use here */
  readonly rooms: number
  /** messages stored from here */
  readonly posts: number
  /** messages written to members here: one that is said to ten of them is ten */
  readonly deliveries: number
  /** upgrades that were not let in, by the code of their error, and requests answered with an error, by its code */
  readonly refusals: Readonly<Record<string, number>>
  /** connections that this side ended, but for the server's stopping, by reason */
  readonly cutOffs: Readonly<Record<string, number>>
  /** what store calls were rejected with, by code; `other` for what is no error of a store */
  readonly storeErrors: Readonly<Record<string, number>>
  /** bytes that wait for clients now, counted for each of them */
  readonly backlog: number
}

/** Who wants to know how long things take, in seconds. */
export interface Timings {
  /** from a post to its being stored */
  appended (seconds: number): void
  /** from the store's giving the first message of a batch to its being written to the last member */
  delivered (seconds: number): void
}

/** How often each of a few things happened. */
export class Counts {
  readonly #counts = new Map<string, number>()

  add (what: string): void { this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1) }

  toObject (): Record<string, number> { return Object.fromEntries(this.#counts) }
}

/** What one chat has done, in numbers that are raised where it is done. */
export class Counters {
  /** What tells this chat from others: its prefix. */
  readonly chat: string
  /** There where they are wanted; else nothing is timed. */
  timings: Timings | undefined
  posts = 0
  deliveries = 0
  readonly refusals = new Counts()
  readonly cutOffs = new Counts()
  readonly storeErrors = new Counts()

  constructor (chat: string) {
    this.chat = chat
  }
}
