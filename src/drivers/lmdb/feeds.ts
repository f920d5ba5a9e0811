import { Followers } from '../followers.ts'
import { decodeRow, timeOf, type Row } from './record.ts'
import type { Draft, Entry, Feed, Cursor, Page } from '../../store.ts'

type News = { readonly room: string } & (
  | { readonly mark: Cursor, readonly row: Row, readonly draft: Draft }
  | { readonly restart: Cursor }
)

/** Who follows which room, and what they are given once it is on disk. */
export class LmdbFeeds {
  readonly #rooms = new Map<string, Followers>()
  #news: News[] = []

  has (room: string): boolean { return this.#rooms.has(room) }

  follow (room: string, head: Cursor, deliver: (page: Page) => void): Feed {
    const followers = this.#rooms.get(room) ?? new Followers()
    this.#rooms.set(room, followers)
    const stop = followers.add(head, deliver)
    return {
      head,
      stop: () => {
        stop()
        if (followers.size === 0 && this.#rooms.get(room) === followers) this.#rooms.delete(room)
      }
    }
  }

  push (room: string, mark: Cursor, row: Row, draft: Draft): void { this.#news.push({ room, mark, row, draft }) }

  /** What came before is no longer vouched for. */
  restart (room: string, head: Cursor): void { this.#news.push({ room, restart: head }) }

  deliver (): void {
    const told = new Set<Followers>()
    for (const news of this.#news) {
      const followers = this.#rooms.get(news.room)
      if (followers === undefined) continue
      if ('restart' in news) followers.restart(news.restart)
      else followers.push(entryOf(news))
      told.add(followers)
    }
    this.#news = []
    for (const followers of told) followers.deliver()
  }

  /** Nothing of it was stored. */
  drop (): void { this.#news = [] }

  /** It is not known whether it was stored. @param headOf the newest entry of a room that can be read */
  doubt (headOf: (room: string) => Cursor): void {
    const rooms = new Set(this.#news.map(({ room }) => room).filter((room) => this.#rooms.has(room)))
    this.#news = [...rooms].map((room) => ({ room, restart: headOf(room) }))
    this.deliver()
  }

  close (): void {
    this.#rooms.clear()
    this.drop()
  }
}

/** As it is read. */
function entryOf ({ mark: { n, position }, row, draft: { from, body, data } }: { mark: Cursor, row: Row, draft: Draft }): Entry {
  if (typeof body !== 'string') return decodeRow(row, { n, position })
  const at = timeOf(row)
  return data === undefined ? { n, position, at, from, body } : { n, position, at, from, body, data }
}
