import { laterOf, movesForward, staysAfter, type ReadCursor } from '../../drivers/read-position.ts'
import { GatheredReads, type Gathering } from './gathered-reads.ts'
import type { MemberMessage } from './member-message.ts'
import { ReadRemovals } from './read-removals.ts'
import type { ReadDevice, Reads } from './reads.ts'
import type { ReadPosition, Store } from '../../store.ts'

/** A room that connections of a member use. */
interface Use { connections: number, read: ReadCursor | undefined }

/** The dependencies that the read positions of all members share. */
export interface MemberReadsContext {
  readonly store: Pick<Store, 'readPositions' | 'forgetRead'>
  /** Id of this node. */
  readonly node: string
  readonly gathering: Gathering
  /** Passes a message to the other nodes of a member. */
  readonly send: (memberId: string, message: MemberMessage) => void
}

/** The read positions of a member that `authenticate` names, for all its connections on this node. */
export class MemberReads implements Reads {
  readonly #id: string
  readonly #context: MemberReadsContext
  readonly #gathered: GatheredReads
  readonly #devices = new Set<ReadDevice>()
  readonly #uses = new Map<string, Use>()
  readonly #listeners = new Set<(room: string) => void>()
  readonly #removals = new ReadRemovals()

  /** @param onUnused called when no connection uses them and everything was written */
  constructor (id: string, context: MemberReadsContext, onUnused: () => void) {
    this.#id = id
    this.#context = context
    this.#gathered = new GatheredReads(id, context.gathering, () => this.#devices.size > 0, () => { if (this.#devices.size === 0) onUnused() })
  }

  begin (device: ReadDevice): void { this.#devices.add(device) }

  /** Called when a connection has ended. After the last one, writes the waiting positions. */
  end (device: ReadDevice): void {
    this.#devices.delete(device)
    if (this.#devices.size > 0) return
    // Failures are repeated.
    this.flush().catch(() => {})
    this.#gathered.settle()
  }

  use (room: string, isNeeded: boolean): Promise<void> | undefined {
    const use = this.#uses.get(room)
    if (use === undefined) this.#uses.set(room, { connections: 1, read: this.#gathered.of(room) })
    else use.connections++
    return isNeeded ? this.#load(room) : undefined
  }

  release (room: string): void {
    const use = this.#uses.get(room)
    if (use !== undefined && --use.connections === 0) this.#uses.delete(room)
  }

  of (room: string): ReadCursor | undefined { return this.#uses.get(room)?.read }

  mark (room: string, cursor: ReadCursor, by: ReadDevice): void {
    if (this.#move(room, cursor)) this.#report(room, by)
  }

  posted (room: string, cursor: ReadCursor): void {
    if (this.#move(room, cursor)) for (const device of this.#devices) device.reportPosted(room, cursor.offset)
    // Nothing may wait for a member without connections.
    if (this.#devices.size === 0) this.#gathered.settle()
  }

  async list (): Promise<readonly ReadPosition[]> {
    await this.flush()
    return await this.#context.store.readPositions(this.#id)
  }

  async forget (room: string, by?: ReadDevice): Promise<void> {
    const known = this.#drop(room)
    if (known !== undefined) this.#reportForgotten(room, by)
    await this.#removeEverywhere(room, known)
  }

  /** Removes the read position of a member that the app has removed from the room. Sends no `forgotten`: the connections receive `left`. */
  async leave (room: string): Promise<void> { await this.#removeEverywhere(room, this.#drop(room), true) }

  /** Called on each node with a connection that is removed from the room. */
  async removed (room: string): Promise<void> { await this.#remove(room, this.#drop(room)) }

  onForget (listener: (room: string) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** Writes the waiting positions. Rejects as the store does; the write is then repeated. */
  async flush (): Promise<void> { await this.#gathered.flush() }

  /** Drops the waiting positions. Returns their number. */
  close (): number { return this.#gathered.close() }

  /** Called with a message from another node. Rejects as the store does. */
  async receive (message: MemberMessage): Promise<void> {
    // A message of this node may arrive after a later removal.
    if ('direct' in message || message.node === this.#context.node) return
    if ('forget' in message) return await this.#receiveForget(message)
    for (const { room, offset, position, at } of message.read) {
      const use = this.#uses.get(room)
      if (use === undefined || !movesForward({ offset, position, at }, use.read)) continue
      use.read = { offset, position, at }
      this.#report(room)
    }
  }

  async #receiveForget ({ forget: room, known: other, upTo, isLeft }: Extract<MemberMessage, { forget: string }>): Promise<void> {
    // The store may have returned the removed position to a join that waits for it.
    this.#removals.reported()
    const known = this.#known(room)
    if (known !== undefined && staysAfter(upTo, known)) return
    this.#drop(room)
    if (known === undefined) return
    // The other nodes may have received a `read` of this node after they removed the read position.
    if (upTo === undefined && movesForward(known, other)) this.#context.send(this.#id, { forget: room, upTo: known, isLeft, node: this.#context.node })
    // A connection that has joined again since it received `left` may have loaded the removed position.
    if (isLeft !== true || upTo !== undefined) this.#reportForgotten(room)
    await this.#remove(room, known)
  }

  /** Returns the newest known read position in a room; undefined if there is none. */
  #known (room: string): ReadCursor | undefined { return laterOf(this.#gathered.of(room), this.#uses.get(room)?.read) }

  /** Removes the known read position from memory. Returns it. `#remove` MUST be called in the same step. */
  #drop (room: string): ReadCursor | undefined {
    const known = this.#known(room)
    const use = this.#uses.get(room)
    if (use !== undefined) use.read = undefined
    for (const listener of this.#listeners) listener(room)
    return known
  }

  /** @param known as `#drop` has returned it @param isLeft whether the app has removed the member from the room */
  async #removeEverywhere (room: string, known: ReadCursor | undefined, isLeft?: true): Promise<void> {
    // Sent before the store is called: the other nodes remove the read position that they know now, and keep later marks.
    this.#context.send(this.#id, { forget: room, known, isLeft, node: this.#context.node })
    const kept = this.#context.store.readPositions(this.#id, room)
    kept.catch(() => { /* rethrown by `#remove` */ })
    const removed = await this.#remove(room, known, kept)
    // A node may have loaded the position since it received the first message.
    if (removed !== undefined) this.#context.send(this.#id, { forget: room, upTo: removed, isLeft, node: this.#context.node })
  }

  /**
   * Removes a read position from the store, but no later one. Resolves with the position up to which it was removed; undefined for none.
   * @param kept what the store has returned for the room when the removal began
   */
  async #remove (room: string, known: ReadCursor | undefined, kept?: Promise<readonly ReadPosition[]>): Promise<ReadCursor | undefined> {
    let upTo: ReadCursor | undefined
    const removed = this.#gathered.forget(room, async () => {
      const [stored] = await kept ?? []
      upTo = laterOf(known, stored)
      if (upTo !== undefined) await this.#context.store.forgetRead(this.#id, room, upTo)
    })
    this.#removals.begin(removed)
    await removed
    return upTo
  }

  async #load (room: string): Promise<void> {
    /** What the store must return, or a later position; undefined if it may have none. */
    let stored: ReadCursor | undefined
    const [kept] = await this.#removals.load(() => {
      stored = this.#gathered.of(room) === undefined ? this.#uses.get(room)?.read : undefined
      return this.#context.store.readPositions(this.#id, room)
    })
    const use = this.#uses.get(room)
    if (use === undefined) return
    // Removed on another node, which has not notified this one: the message was lost, or the member had only plain connections here.
    if (stored !== undefined && stored === use.read && (kept === undefined || movesForward(stored, kept))) {
      use.read = undefined
      this.#reportForgotten(room)
    }
    if (kept === undefined || !movesForward(kept, use.read)) return
    use.read = { offset: kept.offset, position: kept.position, at: kept.at }
    // Another connection may have joined before the position was stored.
    this.#report(room)
  }

  #move (room: string, cursor: ReadCursor): boolean {
    const use = this.#uses.get(room)
    // A post may be stored after its member has left the room, and after a later mark.
    if (!movesForward(cursor, use?.read ?? this.#gathered.of(room))) return false
    if (use !== undefined) use.read = cursor
    this.#gathered.add(room, cursor)
    return true
  }

  #report (room: string, by?: ReadDevice): void {
    for (const device of this.#devices) if (device !== by) device.reportRead(room)
  }

  #reportForgotten (room: string, by?: ReadDevice): void {
    for (const device of this.#devices) if (device !== by) device.reportForgotten(room)
  }
}
