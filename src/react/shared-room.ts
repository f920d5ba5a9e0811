import type { ChatClient, ChatError, ClientRoom, ClientTypes, Timeline, TimelineSnapshot } from '../client/index.ts'
import { roomEnd } from './room-end.ts'

/** The state of a room: the snapshot of its timeline, and the rest that a component shows. */
export interface RoomSnapshot<Types extends ClientTypes = ClientTypes> extends TimelineSnapshot<Types> {
  /** The room; undefined until it is joined. */
  readonly room: ClientRoom<Types> | undefined
  /** Why the room can't be joined, or why it has ended: `left` or `closed` if the app has left it or closed the client. */
  readonly error: ChatError | undefined
  /** `members` of the room. */
  readonly members: ClientRoom<Types>['members']
  /** `count` of the room. */
  readonly count: number
}

/** The state of a room that isn't joined. */
export const EMPTY: RoomSnapshot = {
  room: undefined,
  error: undefined,
  members: new Map(),
  count: 0,
  items: [],
  hasOlder: false,
  hasNewer: false,
  loading: undefined,
  earlier: undefined,
  unread: undefined,
  firstUnread: undefined,
  typing: []
}

export interface SharedRoomOptions {
  /** messages to receive on joining; default: as many as the server sends */
  readonly history?: number | undefined
  /** maximum stored messages in the timeline; 500 */
  readonly size?: number | undefined
}

/** A room of a client that components share: joined for the first one, and left after the last one is unmounted. */
export class SharedRoom {
  readonly #client: ChatClient
  readonly #name: string
  readonly #onLeft: () => void
  /** One of each component. */
  readonly #listeners = new Set<() => void>()
  #room: ClientRoom | undefined
  #timeline: Timeline | undefined
  #error: ChatError | undefined
  #isLeft = false
  #snapshot = EMPTY

  /** @param onLeft called when the room was left: another component needs another object */
  constructor (client: ChatClient, name: string, { history, size }: SharedRoomOptions, onLeft: () => void) {
    this.#client = client
    this.#name = name
    this.#onLeft = onLeft
    client.join(name, { history })
      .then((room) => this.#onJoined(room, size))
      .catch((error: ChatError) => this.#onError(error))
  }

  get room (): ClientRoom | undefined { return this.#room }

  get timeline (): Timeline | undefined { return this.#timeline }

  /** The same object until something changes. */
  get snapshot (): RoomSnapshot {
    const room = this.#room
    const joined = room !== undefined && { room, members: room.members, count: room.count }
    const snapshot: RoomSnapshot = { ...EMPTY, ...this.#timeline?.getSnapshot(), ...joined, error: this.#error }
    const names = Object.keys(snapshot) as Array<keyof RoomSnapshot>
    if (names.some((name) => snapshot[name] !== this.#snapshot[name])) this.#snapshot = snapshot
    return this.#snapshot
  }

  /** Adds a component, which is notified of changes. Returns a function that removes it. */
  subscribe (listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
      // The next component joins again.
      if (this.#error !== undefined) this.#leaveUnused()
      // React may mount a component again at once: in StrictMode, or with another key.
      else setTimeout(() => this.#leaveUnused())
    }
  }

  #onJoined (room: ClientRoom, size: number | undefined): void {
    if (this.#isLeft) return
    try {
      this.#timeline = room.timeline({ size })
    } catch (error) {
      room.leave()
      throw error
    }
    this.#room = room
    const notify = () => this.#notify()
    room.on('joined', notify)
    room.on('presence', notify)
    void roomEnd(this.#client, room).then((error) => this.#onError(error))
    this.#timeline.subscribe(notify)
    this.#notify()
  }

  #onError (error: ChatError): void {
    this.#error = error
    this.#notify()
  }

  #notify (): void { for (const listener of this.#listeners) listener() }

  #leaveUnused (): void {
    if (this.#isLeft || this.#listeners.size > 0) return
    this.#isLeft = true
    this.#onLeft()
    if (this.#room !== undefined) this.#room.leave()
    // After an error, the app may have joined a room with this name.
    else if (this.#error === undefined) this.#client.leave(this.#name)
  }
}
