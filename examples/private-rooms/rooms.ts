/** @param owner the member that may invite and remove others; null: no member may, as in a direct conversation */
export interface Room { readonly room: string, readonly title: string, readonly owner: string | null }

/**
 * Two tables of the app's database, which are kept in memory here: `rooms (room, title, owner)` and `members (room, member)`. The comment
 * of a method is the statement that it stands for.
 */
export class Rooms {
  readonly #rooms = new Map<string, Room>()
  readonly #members = new Map<string, Set<string>>()

  /** INSERT INTO rooms … ON CONFLICT DO NOTHING, and INSERT INTO members for each, in one transaction. Resolves with whether the room is new. */
  async create (room: Room, members: readonly string[]): Promise<boolean> {
    if (this.#rooms.has(room.room)) return false
    this.#rooms.set(room.room, room)
    this.#members.set(room.room, new Set(members))
    return true
  }

  /** SELECT * FROM rooms WHERE room = $1 */
  async find (room: string): Promise<Room | undefined> {
    return this.#rooms.get(room)
  }

  /** SELECT 1 FROM members WHERE room = $1 AND member = $2 */
  async isMember (room: string, member: string): Promise<boolean> {
    return this.#members.get(room)?.has(member) ?? false
  }

  /** SELECT rooms.* FROM rooms JOIN members USING (room) WHERE member = $1 */
  async of (member: string): Promise<Room[]> {
    return [...this.#rooms.values()].filter(({ room }) => this.#members.get(room)?.has(member))
  }

  /** INSERT INTO members VALUES ($1, $2) ON CONFLICT DO NOTHING */
  async add (room: string, member: string): Promise<void> {
    this.#members.get(room)?.add(member)
  }

  /** DELETE FROM members WHERE room = $1 AND member = $2 */
  async remove (room: string, member: string): Promise<void> {
    this.#members.get(room)?.delete(member)
  }
}
