import type { Test } from 'tap'
import type { ReportedChange } from '../../src/chat-change.ts'
import { ChatClient, type ChatError, type ClientRoom, type Message } from '../../src/client/node.ts'
import { chatClient, nextEvent, state } from './chat-client.ts'
import { proxy } from './proxy.ts'
import { ClientView, states, wholeHistory } from './client-view.ts'

/** Reactions of a member to one message; each worker of a member has its own. */
const REACTIONS = ['👍', '🎉', '🚀']

const room = 'lobby'

/** What a load did, and what went wrong. */
export interface Tally {
  posts: number
  edits: number
  deletes: number
  reactions: number
  /** connections that were cut */
  cuts: number
  /** acknowledged requests without an effect */
  lost: number
  /** posts and edits that were stored twice, and messages that a client received twice */
  doubled: number
  /** messages that differ: between a member's view and what the store has, or between it and what was acknowledged last */
  wrong: number
}

/** The edits that the nodes of a chat have stored, by text. */
export class StoredEdits {
  readonly counts = new Map<string, number>()

  /** The hook `onChange` of each node. */
  readonly onChange = (change: ReportedChange): void => {
    if (change.type === 'edit') this.counts.set(change.text, (this.counts.get(change.text) ?? 0) + 1)
  }
}

export interface LoadOptions {
  /** ports of the nodes */
  readonly ports: readonly number[]
  readonly edits: StoredEdits
  readonly members: number
  /** number of requests of each member; three are in flight at a time */
  readonly requests: number
  /** Returns a number from 0 to 1. */
  readonly random: () => number
}

/**
 * Lets members post, edit, delete and react, while their connections are cut. Then compares each member's view with what a client
 * receives that joins afterwards.
 */
export async function changesLoad (t: Test, { ports, edits, members: count, requests, random }: LoadOptions): Promise<Tally> {
  const tally: Tally = { posts: 0, edits: 0, deletes: 0, reactions: 0, cuts: 0, lost: 0, doubled: 0, wrong: 0 }
  const members = await Promise.all(Array.from({ length: count }, async (_, i) => Participant.join(t, `m${i}`, ports[i % ports.length]!, tally, random)))
  await Promise.all(members.map((member) => member.run(requests)))
  await members[0]!.room.post('end')
  for (const member of members) await member.verify(t)
  const made = new Set(members.flatMap(({ edited }) => edited))
  for (const text of made) if (!edits.counts.has(text)) tally.lost++
  for (const times of edits.counts.values()) tally.doubled += times - 1
  return tally
}

/** A member whose connection is cut again and again. */
class Participant {
  readonly room: ClientRoom
  /** Texts of the acknowledged edits. */
  readonly edited: string[] = []
  readonly #name: string
  readonly #port: number
  readonly #client: ChatClient
  readonly #view: ClientView
  readonly #cut: () => void
  readonly #tally: Tally
  readonly #random: () => number
  /** What each own message must be: its text, or undefined if it is deleted. By position. */
  readonly #own = new Map<string, string | undefined>()
  /** The last acknowledged state of each reaction, by position and reaction. */
  readonly #reacted = new Map<string, boolean>()
  #onEvent = () => {}
  #requests = 0

  static async join (t: Test, name: string, port: number, tally: Tally, random: () => number): Promise<Participant> {
    const network = await proxy(t, port)
    const client = chatClient(t, network.port, { name })
    const joined = await client.join(room, { history: 0 })
    return new Participant(name, port, client, joined, () => network.cut(), tally, random)
  }

  private constructor (name: string, port: number, client: ChatClient, joined: ClientRoom, cut: () => void, tally: Tally, random: () => number) {
    this.#name = name
    this.#port = port
    this.#client = client
    this.room = joined
    this.#view = new ClientView(joined, () => this.#onEvent())
    this.#cut = cut
    this.#tally = tally
    this.#random = random
  }

  /** Resolves when this number of requests are acknowledged. */
  async run (requests: number): Promise<void> {
    const work = async (worker: number) => {
      const own: string[] = []
      while (this.#requests < requests) await this.#request(`${this.#name} ${this.#requests++}`, REACTIONS[worker]!, own)
    }
    await Promise.all(REACTIONS.map((_, worker) => work(worker)))
  }

  /** Waits until the view has the newest message and change. Then compares it with that of a new client of the same member. */
  async verify (t: Test): Promise<void> {
    const { session } = await state(this.#client, 'online')
    const later = await chatClient(t, this.#port, { session }).join(room, { history: 1_000 })
    const { messages: newest, position, revision } = await nextEvent(later, 'joined')
    const kept = await wholeHistory(later, newest)
    later.leave()
    await new Promise<void>((resolve) => {
      this.#onEvent = () => { if (this.room.position === position && this.room.revision === revision) resolve() }
      this.#onEvent()
    })
    this.#compare(t, kept)
  }

  async #request (text: string, reaction: string, own: string[]): Promise<void> {
    const chance = this.#random()
    const mine = own[Math.floor(this.#random() * own.length)]
    const positions = [...this.#view.messages.keys()].slice(-20)
    const any = positions[Math.floor(this.#random() * positions.length)]
    const request = chance < 0.4 || mine === undefined || any === undefined
      ? this.#post(text, own)
      : chance < 0.63
        ? this.#edit(mine, text)
        : chance < 0.7 ? this.#delete(mine, own) : chance < 0.95 ? this.#react(any, reaction) : this.#page(any)
    if (this.#random() < 0.04) {
      this.#tally.cuts++
      // Before or after the server receives the request, and before or after its answer.
      setTimeout(this.#cut, this.#random() * 4)
    }
    await request
  }

  async #post (text: string, own: string[]): Promise<void> {
    const position = await this.room.post(text)
    this.#tally.posts++
    this.#own.set(position, text)
    own.push(position)
  }

  async #edit (position: string, text: string): Promise<void> {
    await this.room.edit(position, text)
    this.#tally.edits++
    this.edited.push(text)
    this.#own.set(position, text)
  }

  async #delete (position: string, own: string[]): Promise<void> {
    own.splice(own.indexOf(position), 1)
    await this.room.delete(position)
    this.#tally.deletes++
    this.#own.set(position, undefined)
  }

  /** Reads a page of history while others change its messages. */
  async #page (position: string): Promise<void> {
    try {
      const { messages } = await this.room.history(position, 20)
      this.#view.addPage(messages)
    } catch (error) {
      if ((error as ChatError).code !== 'offline') throw error
    }
  }

  async #react (position: string, reaction: string): Promise<void> {
    const key = `${position} ${reaction}`
    const on = this.#reacted.get(key) !== true
    try {
      await (on ? this.room.react(position, reaction) : this.room.unreact(position, reaction))
    } catch (error) {
      // Its author may have deleted the message meanwhile.
      if ((error as ChatError).code === 'deleted') return
      throw error
    }
    this.#tally.reactions++
    this.#reacted.set(key, on)
  }

  #compare (t: Test, kept: readonly Message[]): void {
    const [view, store] = [states(this.#view.messages.values()), states(kept)]
    this.#tally.doubled += this.#view.doubled
    if (!t.strictSame(view, store, `the view of ${this.#name}`)) this.#tally.wrong++
    if (!t.equal(this.#view.incomplete, 0, `the view of ${this.#name} was complete`)) this.#tally.wrong++
    const byPosition = new Map(kept.map((message) => [message.position, message]))
    const [older, stored] = [states(this.#view.older.values()), states([...this.#view.older.keys()].flatMap((position) => byPosition.get(position) ?? []))]
    if (!t.strictSame(older, stored, `the pages of history of ${this.#name}`)) this.#tally.wrong++
    for (const [position, text] of this.#own) {
      const message = byPosition.get(position)
      if (message === undefined) this.#tally.lost++
      else if (text === undefined ? message.deleted !== true : message.text !== text) this.#tally.wrong++
    }
    for (const [key, on] of this.#reacted) {
      const [position = '', reaction] = key.split(' ')
      const message = byPosition.get(position)
      if (message?.deleted === true) continue
      if ((message?.reactions?.find((each) => each.reaction === reaction)?.mine === true) !== on) this.#tally.wrong++
    }
  }
}
