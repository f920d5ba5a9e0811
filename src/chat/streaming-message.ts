import type { Amended, Change } from '../change.ts'
import { codePoints } from '../code-points.ts'
import type { Delay } from '../drivers/delay.ts'
import { NotKept, StreamEnded } from '../errors.ts'
import type { Hooks } from '../hooks.ts'
import { callOnChange } from '../rooms/peer/change.ts'
import { callOnPost, type PostContext } from '../rooms/peer/post.ts'
import type { ReadPositions } from '../rooms/reads/read-positions.ts'
import type { Appended, Draft, Position } from '../store.ts'
import { RepeatedCalls } from './repeated-calls.ts'

export interface StreamingContext extends Pick<PostContext, 'store' | 'hookCalls'> {
  readonly hooks: Pick<Hooks, 'onPost' | 'onChange'>
  /** Undefined if no hook names the members. */
  readonly readPositions?: Pick<ReadPositions, 'posted'> | undefined
  /** ms after its last renewal that the nodes end the message */
  readonly lease: number
}

/**
 * A message of the app whose text grows, in the store. Renews its lease while nothing is appended. A call whose outcome was unknown and
 * that had an effect is a call that succeeded: it calls the hook, and is followed by a renewal, because its repeat renews nothing.
 */
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
    this.#renewalFailed = renewalFailed
    return this.#calls.begin(async () => {
      if (this.#position === undefined) {
        const { position, again } = await this.#store()
        this.#position = position
        if (!again) return
      }
      await this.#append('')
    })
  }

  /** Appends text without lone surrogates; without text, renews the lease. Rejects as the store's `amend` does. */
  append (text: string): Promise<void> {
    let rest = text
    return this.#calls.add(async () => {
      const isRepeat = await this.#append(rest) && rest !== ''
      rest = ''
      if (isRepeat) await this.#append('')
    })
  }

  /** Ends the message. Rejects as the store's `amend` does. @throws NotKept, StreamEnded */
  async end (): Promise<void> {
    await this.#calls.add(async () => { await this.#end({ end: true }) })
    this.#hasEnded = true
    this.#calls.stop()
  }

  /** Ends the message as unfinished, unless it has ended. If the store fails, the nodes end the message after its lease. */
  async endUnfinished (): Promise<void> {
    if (this.#hasEnded) return
    await this.#calls.end(async () => { if (this.#position !== undefined) await this.#end({ end: true, unfinished: true }) }).catch(() => {})
  }

  /** Makes no further calls of the store. */
  abandon (): void { this.#calls.stop() }

  #renew (): void { this.append('').catch((error: unknown) => { this.#renewalFailed(error as Error) }) }

  #store (): Promise<Appended> {
    const { store, hookCalls, readPositions, hooks: { onPost } } = this.#context
    const stored = store.append(this.#room, this.#draft)
    const { from } = this.#draft
    const isOfMember = from !== null && readPositions !== undefined
    if (onPost === undefined && !isOfMember) return stored
    const first = this.#asFirst(stored)
    if (onPost !== undefined) callOnPost(hookCalls, onPost, this.#room, this.#draft, first)
    if (isOfMember) first.then((appended) => { if (!appended.again) readPositions.posted(from.id, this.#room, appended) }, () => { /* `begin` rejects */ })
    return stored
  }

  /** Resolves with the result of the call that stored the message: nothing else has its key. */
  async #asFirst (stored: Promise<Appended>): Promise<Appended> {
    const appended = await stored
    if (!appended.again) return appended
    const entry = await this.#context.store.get(this.#room, appended.position)
    return entry === undefined ? appended : { ...appended, again: false, at: entry.at }
  }

  /** Resolves with whether the text was there already. */
  async #append (text: string): Promise<boolean> {
    const { again } = await this.#context.store.amend(this.#room, this.#position!, { by: null, change: { append: text, at: this.#length } })
    this.#length += codePoints(text)
    return again
  }

  #end (change: Extract<Change, { end: true }>): Promise<Amended> {
    const { store, hookCalls, hooks: { onChange } } = this.#context
    const stored = store.amend(this.#room, this.#position!, { by: null, change })
    const ended = change.unfinished === true ? stored : this.#asComplete(stored)
    if (onChange !== undefined) callOnChange({ store, hookCalls }, onChange, this.#room, this.#position!, change, ended)
    return ended
  }

  /** Resolves with the result of the call that ended the message. @throws NotKept; StreamEnded if a node ended it after the lease */
  async #asComplete (stored: Promise<Amended>): Promise<Amended> {
    const amended = await stored
    if (!amended.again) return amended
    const entry = await this.#context.store.get(this.#room, this.#position!)
    if (entry === undefined) throw new NotKept()
    if (entry.unfinished === true) throw new StreamEnded()
    return { ...amended, again: false }
  }
}
