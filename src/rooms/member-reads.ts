import { movesForward, type ReadCursor } from '../drivers/read-position.ts'
import { GatheredReads, type Gathering } from './gathered-reads.ts'
import type { MemberMessage } from './member-message.ts'
import type { ReadDevice, Reads } from './reads.ts'
import type { ReadPosition, Store } from '../store.ts'

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
    this.#move(room, cursor)
    // Nothing may wait for a member without connections.
    if (this.#devices.size === 0) this.#gathered.settle()
  }

  async list (): Promise<readonly ReadPosition[]> {
    await this.flush()
    return await this.#context.store.readPositions(this.#id)
  }

  async forget (room: string): Promise<void> {
    await this.removed(room)
    this.#context.send(this.#id, { forget: room, node: this.#context.node })
  }

  /** Called when another node has removed the read position in a room, or the member was removed from the room. As `forget`, but doesn't notify other nodes. */
  async removed (room: string): Promise<void> {
    const use = this.#uses.get(room)
    if (use !== undefined) use.read = undefined
    for (const listener of this.#listeners) listener(room)
    await this.#gathered.forget(room)
    await this.#context.store.forgetRead(this.#id, room)
  }

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
    // A write of this node may have come after the removal by the other one.
    if ('forget' in message) return await this.removed(message.forget)
    for (const { room, offset, position, at } of message.read) {
      const use = this.#uses.get(room)
      if (use === undefined || !movesForward({ offset, position, at }, use.read)) continue
      use.read = { offset, position, at }
      this.#report(room)
    }
  }

  async #load (room: string): Promise<void> {
    const [kept] = await this.#context.store.readPositions(this.#id, room)
    const use = this.#uses.get(room)
    if (kept === undefined || use === undefined || !movesForward(kept, use.read)) return
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
}
