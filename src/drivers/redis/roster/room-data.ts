import type { PresentMember } from '../../../roster.ts'
import type { SharedData } from './shared-data.ts'
import { decodeMember, type TaggedData } from './stored-member.ts'

/** The data of the members that a room lists, as it was last read. Redis doesn't send it again. */
export class RoomData {
  readonly #shared: SharedData
  #known: TaggedData = new Map()
  #closed = false

  constructor (shared: SharedData) {
    this.#shared = shared
  }

  /** The data by its tag. A read passes these tags to Redis. */
  get known (): TaggedData { return this.#known }

  /** Returns the members of a read. @param known when the read began */
  decode (ids: readonly string[], stored: readonly string[], known: TaggedData): PresentMember[] {
    const now = new Map<string, string>()
    const members = ids.map((id, i) => decodeMember(id, stored[i]!, known, (tag, data) => {
      const kept = now.get(tag) ?? this.#shared.add(tag, data)
      now.set(tag, kept)
      return kept
    }))
    this.#replace(now)
    // A read may end after the room was closed.
    if (this.#closed) this.#replace(new Map())
    return members
  }

  close (): void {
    this.#closed = true
    this.#replace(new Map())
  }

  #replace (now: TaggedData): void {
    for (const tag of this.#known.keys()) this.#shared.delete(tag)
    this.#known = now
  }
}
