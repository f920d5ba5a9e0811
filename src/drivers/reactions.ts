import { TooManyReactions } from '../errors.ts'
import { MAX_REACTION_PAIRS, MAX_REACTIONS } from '../request-bounds.ts'
import type { Reaction } from '../change.ts'

/** The members who have a reaction. Most reactions have one member, and a set takes more memory than the rest of the reaction. */
type Members = string | Set<string>

/** The reactions of one entry in the order of their first use, with the ids of the members who have them. */
export class Reactions {
  readonly #members = new Map<string, Members>()
  #pairs = 0

  /** @param pairs the members of each reaction, in order */
  constructor (pairs: Iterable<readonly [reaction: string, members: Iterable<string>]> = []) {
    for (const [reaction, members] of pairs) for (const member of members) this.add(reaction, member)
  }

  /** Number of different reactions. */
  get size (): number { return this.#members.size }

  has (reaction: string, member: string): boolean { return includes(this.#members.get(reaction), member) }

  /** Returns the number of members who have a reaction. */
  count (reaction: string): number { return countOf(this.#members.get(reaction)) }

  /** @throws TooManyReactions if the bounds of an entry don't allow a further member with this reaction */
  assertSpace (reaction: string): void {
    if (this.#pairs >= MAX_REACTION_PAIRS || (this.#members.size >= MAX_REACTIONS && !this.#members.has(reaction))) throw new TooManyReactions()
  }

  add (reaction: string, member: string): void {
    const members = this.#members.get(reaction)
    if (includes(members, member)) return
    this.#pairs++
    if (members === undefined) this.#members.set(reaction, member)
    else if (typeof members === 'string') this.#members.set(reaction, new Set([members, member]))
    else members.add(member)
  }

  /** Removes a member's reaction. A reaction without members is removed too. */
  delete (reaction: string, member: string): void {
    const members = this.#members.get(reaction)
    if (members === undefined || !includes(members, member)) return
    this.#pairs--
    if (typeof members === 'string') this.#members.delete(reaction)
    else if (members.delete(member) && members.size === 1) for (const last of members) this.#members.set(reaction, last)
  }

  /** Returns the reactions as an entry has them. @param member whose reactions are `mine` */
  list (member: string | undefined): Reaction[] {
    const reactions: Reaction[] = []
    for (const [reaction, members] of this.#members) {
      const count = countOf(members)
      reactions.push(member !== undefined && includes(members, member) ? { reaction, count, mine: true } : { reaction, count })
    }
    return reactions
  }

  /** Yields each reaction with its members, as the constructor takes them. */
  * [Symbol.iterator] (): IterableIterator<[reaction: string, members: Iterable<string>]> {
    for (const [reaction, members] of this.#members) yield [reaction, typeof members === 'string' ? [members] : members]
  }
}

function includes (members: Members | undefined, member: string): boolean {
  return members === member || (typeof members === 'object' && members.has(member))
}

function countOf (members: Members | undefined): number {
  if (members === undefined) return 0
  return typeof members === 'string' ? 1 : members.size
}
