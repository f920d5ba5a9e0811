import { EventEmitter, once } from 'node:events'
import type { Changed, Controlled } from '../../change.ts'
import type { Entry, Feed, FeedPage, Store } from '../../store.ts'
import { numbers } from './entries.ts'
import type { View } from './view.ts'

/** A follower that collects the pages it receives. */
export class Follower extends EventEmitter {
  readonly pages: FeedPage[] = []
  feed!: Feed

  static async of (store: Store, room: string, then: (page: FeedPage) => void = () => {}): Promise<Follower> {
    const follower = new Follower()
    follower.feed = await store.follow(room, (page) => {
      follower.pages.push(page)
      follower.emit('page')
      then(page)
    })
    return follower
  }

  get entries (): Entry[] { return this.pages.flatMap(({ entries }) => entries) }
  get changes (): Changed[] { return this.pages.flatMap(({ changes }) => changes) }
  get controls (): Controlled[] { return this.pages.flatMap(({ controls = [] }) => controls) }
  get numbers (): number[] { return numbers(this) }

  /** Returns a view that has taken all pages. @param view what the follower knew before */
  viewAfter (view: View): View {
    for (const page of this.pages) view.follow(page)
    return view
  }

  async until (satisfied: () => boolean): Promise<void> {
    while (!satisfied()) await once(this, 'page')
  }

  /** Resolves when the entry with this content has been delivered. */
  async has (body: string): Promise<void> {
    await this.until(() => this.entries.some((entry) => entry.body === body))
  }
}
