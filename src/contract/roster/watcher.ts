import { EventEmitter, once } from 'node:events'
import type { Presence, Roster, Signal, TimedRestriction } from '../../roster.ts'

/** Collects the values that a listener receives. */
export class Watcher<Told> extends EventEmitter {
  readonly told: Told[] = []
  stop!: () => void
  readonly hear = (what: Told) => {
    this.told.push(what)
    this.emit('told')
  }

  get last (): Told | undefined { return this.told.at(-1) }

  async until (satisfied: (what: Told) => boolean): Promise<Told> {
    while (this.last === undefined || !satisfied(this.last)) await once(this, 'told')
    return this.last
  }

  /** Resolves when the listener has received this many values. */
  async untilReceived (count: number): Promise<void> {
    while (this.told.length < count) await once(this, 'told')
  }

  static async ofRoom (roster: Roster, room: string): Promise<Watcher<Presence>> {
    const watcher = new Watcher<Presence>()
    watcher.stop = await roster.watch(room, watcher.hear)
    return watcher
  }

  static async ofSignals (roster: Roster, room: string): Promise<Watcher<Signal>> {
    const watcher = new Watcher<Signal>()
    watcher.stop = await roster.listen(room, watcher.hear)
    return watcher
  }

  static async ofMember (roster: Roster, memberId: string): Promise<Watcher<string>> {
    const watcher = new Watcher<string>()
    watcher.stop = await roster.attend(memberId, watcher.hear)
    return watcher
  }

  static ofRestrictions (roster: Roster): Watcher<[string, TimedRestriction]> {
    const watcher = new Watcher<[string, TimedRestriction]>()
    watcher.stop = roster.onRestrict((who, what) => watcher.hear([who, what]))
    return watcher
  }
}
