import { TooManyReactions } from '../errors.ts'
import { MAX_REACTION_PAIRS, MAX_REACTIONS } from '../request-bounds.ts'
import type { Reaction } from '../change.ts'

/** The reactions of one entry in the order of their first use, with the ids of the members who have them. */
export class Reactions {
  readonly #members = new Map<string, Set<string>>()
  #pairs = 0

  /** @param pairs the members of each reaction, in order */
  constructor (pairs: Iterable<readonly [reaction: string, members: Iterable<string>]> = []) {
    for (const [reaction, members] of pairs) for (const member of members) this.add(reaction, member)
  }

  /** Number of different reactions. */
  get size (): number { return this.#members.size }

  has (reaction: string, member: string): boolean { return this.#members.get(reaction)?.has(member) === true }

  /** Returns the number of members who have a reaction. */
  count (reaction: string): number { return this.#members.get(reaction)?.size ?? 0 }

  /** @throws TooManyReactions if the bounds of an entry don't allow a further member with this reaction */
  assertSpace (reaction: string): void {
    if (this.#pairs >= MAX_REACTION_PAIRS || (this.#members.size >= MAX_REACTIONS && !this.#members.has(reaction))) throw new TooManyReactions()
  }

  add (reaction: string, member: string): void {
    const members = this.#members.get(reaction)
    if (members?.has(member) === true) return
    this.#pairs++
    if (members === undefined) this.#members.set(reaction, new Set([member]))
    else members.add(member)
  }

  /** Removes a member's reaction. A reaction without members is removed too. */
  delete (reaction: string, member: string): void {
    const members = this.#members.get(reaction)
    if (members?.delete(member) !== true) return
    this.#pairs--
    if (members.size === 0) this.#members.delete(reaction)
  }

  /** Returns the reactions as an entry has them. @param member whose reactions are `mine` */
  list (member: string | undefined): Reaction[] {
    const reactions: Reaction[] = []
    for (const [reaction, members] of this.#members) {
      const count = members.size
      reactions.push(member !== undefined && members.has(member) ? { reaction, count, mine: true } : { reaction, count })
    }
    return reactions
  }

  /** Yields each reaction with its members, as the constructor takes them. */
  [Symbol.iterator] (): IterableIterator<[reaction: string, members: ReadonlySet<string>]> { return this.#members[Symbol.iterator]() }
}
