import { codePoints } from '../code-points.ts'
import type { Delay } from '../drivers/delay.ts'
import { NotKept, StreamEnded } from '../errors.ts'
import type { Hooks } from '../hooks.ts'
import { amendEntry } from '../rooms/change.ts'
import { callOnPost, type PostContext } from '../rooms/post.ts'
import type { Draft, Position } from '../store.ts'
import { RepeatedCalls } from './repeated-calls.ts'

export interface StreamingContext extends Pick<PostContext, 'store' | 'hookCalls'> {
  readonly hooks: Pick<Hooks, 'onPost' | 'onChange'>
  /** ms after its last renewal that the nodes end the message */
  readonly lease: number
}

/** A message of the app whose text grows, in the store. Renews its lease while nothing is appended. */
export class StreamingMessage {
  readonly #context: StreamingContext
  readonly #room: string
  readonly #draft: Draft
  readonly #calls: RepeatedCalls
  #position: Position | undefined
  /** of the stored text, in code points */
  #length = 0
  #hasEnded = false
  #renewalFailed: (error: Error) => void = () => {}

  /** @param draft streaming, with a key, under which it is stored once */
  constructor (context: StreamingContext, room: string, draft: Draft, after?: Delay) {
    this.#context = context
    this.#room = room
    this.#draft = draft
    this.#calls = new RepeatedCalls(context.lease, () => { this.#renew() }, after)
  }

  /** undefined until the message is stored */
  get position (): Position | undefined { return this.#position }

  /**
   * Stores the message without text. Passes it to the store before it returns, so that it has its place among the posts of the caller.
   * @param renewalFailed called if the lease can't be renewed
   */
  begin (renewalFailed: (error: Error) => void): Promise<void> {
    const { store, hookCalls, hooks: { onPost } } = this.#context
    this.#renewalFailed = renewalFailed
    return this.#calls.begin(async () => {
      const stored = store.append(this.#room, this.#draft)
      if (onPost !== undefined) callOnPost(hookCalls, onPost, this.#room, this.#draft, stored)
      this.#position = (await stored).position
    })
  }

  /** Appends text without lone surrogates; without text, renews the lease. Rejects as the store's `amend` does. */
  append (text: string): Promise<void> {
    return this.#calls.add(async () => {
      await this.#context.store.amend(this.#room, this.#position!, { by: null, change: { append: text, at: this.#length } })
      this.#length += codePoints(text)
    })
  }

  /** Ends the message. Rejects as the store's `amend` does. @throws NotKept, StreamEnded */
  async end (): Promise<void> {
    await this.#calls.add(async () => {
      const { again } = await this.#amend()
      if (again) await this.#assertComplete()
    })
    this.#hasEnded = true
    this.#calls.stop()
  }

  /** Ends the message as unfinished, unless it has ended. If the store fails, the nodes end the message after its lease. */
  async endUnfinished (): Promise<void> {
    if (this.#hasEnded) return
    await this.#calls.end(async () => { if (this.#position !== undefined) await this.#amend(true) }).catch(() => {})
  }

  /** Makes no further calls of the store. */
  abandon (): void { this.#calls.stop() }

  #renew (): void { this.append('').catch((error: unknown) => { this.#renewalFailed(error as Error) }) }

  #amend (unfinished?: true) {
    return amendEntry(this.#context, this.#context.hooks, this.#room, this.#position!, { by: null, change: { end: true, ...unfinished && { unfinished } } })
  }

  /** Called if the message had ended: by an earlier call whose outcome was unknown, or by a node after the lease. */
  async #assertComplete (): Promise<void> {
    const entry = await this.#context.store.get(this.#room, this.#position!)
    if (entry === undefined) throw new NotKept()
    if (entry.unfinished === true) throw new StreamEnded()
  }
}
