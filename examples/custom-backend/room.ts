import type { Amended, Amendment, Appended, ChangeCursor, Control, Cursor, Draft, Entry, Feed, FeedPage, Page, Position, Query } from 'fastify-chat'
import { KeptFile, type Disk } from './kept-file.ts'
import type { RoomFile } from './room-file.ts'
import { RoomFollowers } from './room-followers.ts'
import type { RoomLog } from './room-log.ts'
import { readPage } from './room-page.ts'

/** One room and its followers. */
export class Room {
  readonly #file: KeptFile<RoomLog>
  readonly #followers = new RoomFollowers()

  constructor (file: RoomFile, disk: Disk, newLog: () => RoomLog) {
    this.#file = new KeptFile(file, disk, newLog, {
      onLoad: ({ head }) => {
        // Followers exist after a failed write only: entries that it left in the file were never delivered.
        if (this.#followers.size > 0) this.#followers.push({ head })
      },
      onFail: () => this.#followers.discard(),
      onSettle: () => this.#followers.deliver()
    })
  }

  get isIdle (): boolean { return this.#file.isIdle && this.#followers.size === 0 }

  append (draft: Draft): Promise<Appended> {
    return this.#file.call((log): Appended => {
      const result = log.append(draft, this.#file.hasSpace)
      if ('known' in result) return { ...result.known, again: true }
      const { entry, line } = result
      this.#file.add(line)
      this.#followers.push({ entry, head: log.head })
      return { offset: entry.offset, position: entry.position, at: entry.at, again: false }
    })
  }

  find (key: string): Promise<Cursor | undefined> { return this.#file.call((log) => log.find(key)) }

  read (query: Query): Promise<Page> { return this.#file.call((log) => readPage(log, query)) }

  async follow (deliver: (page: FeedPage) => void): Promise<Feed> {
    let stop = () => {}
    try {
      const head = await this.#file.call((log) => {
        stop = this.#followers.add(deliver)
        return log.head
      })
      return { head, stop }
    } catch (error) {
      stop()
      throw error
    }
  }

  get (position: Position, member?: string): Promise<Entry | undefined> { return this.#file.call((log) => log.get(position, member)) }

  amend (name: string, position: Position, amendment: Amendment): Promise<Amended> {
    return this.#file.call((log) => {
      const { amended, changed, line = '' } = log.amend(name, position, amendment, this.#file.hasSpace)
      this.#file.add(line)
      if (changed === undefined) return amended
      this.#followers.push({ changed, head: log.head })
      // The line of the entry still has what was deleted.
      if ('delete' in amendment.change) this.#file.rewrite()
      return amended
    })
  }

  control (control: Control): Promise<ChangeCursor> {
    const copy = structuredClone(control)
    return this.#file.call((log) => {
      const { controlled, line } = log.control(copy)
      this.#file.add(line)
      this.#followers.push({ controlled, head: log.head })
      return controlled.change
    })
  }

  findChange (key: string): Promise<ChangeCursor | undefined> { return this.#file.call((log) => log.findChange(key)) }

  clear (): Promise<void> {
    return this.#file.call((log) => {
      log.clear()
      this.#file.rewrite()
      this.#followers.push({ head: log.head })
    })
  }

  /** Resolves when all calls have settled and nothing more will be delivered. */
  async close (): Promise<void> {
    this.#followers.clear()
    await this.#file.close()
  }
}
