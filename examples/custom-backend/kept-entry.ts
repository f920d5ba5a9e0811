import { errors } from 'fastify-chat'
import type { Amendment, ChangeCursor, Changed, Entry } from 'fastify-chat'
import type { ChangeLine, EntryLine } from './room-line.ts'

/** Bounds of one entry, as the contract sets them: different reactions, reactions of all members, and bytes of streamed text. */
const [MAX_REACTIONS, MAX_PAIRS, MAX_STREAM_BYTES] = [20, 1_000, 64 * 1024]

/** One entry of a room, as its changes have left it. */
export class KeptEntry {
  #entry: Entry
  #number: number | undefined
  #reactions: Map<string, Set<string>>
  #size!: number
  #reactionSize = 0
  /** ms of `performance.now()` when it was begun or last renewed; an entry that was read from a file is idle */
  #renewedAt = -Infinity

  constructor ({ number, bytes = '', body, reactions = [], ...rest }: EntryLine, position: string, revision?: string) {
    this.#entry = { ...rest, position, body: body ?? Buffer.from(bytes, 'base64'), ...revision !== undefined && { revision } }
    this.#number = number
    this.#reactions = new Map(reactions.map(([reaction, members]) => [reaction, new Set(members)]))
    for (const [reaction, members] of reactions) for (const member of members) this.#reactionSize += sizeOf(reaction, member)
    this.#measure()
  }

  /** number of the last change; undefined if there is none */
  get number (): number | undefined { return this.#number }
  get offset (): number { return this.#entry.offset }
  get at (): number { return this.#entry.at }
  /** Bytes of its line without reactions; of its reactions, roughly. */
  get size (): number { return this.#size }
  get reactionSize (): number { return this.#reactionSize }

  get line (): EntryLine {
    const { position: _, revision: __, reactions: ___, body, ...rest } = this.#entry
    return {
      ...rest,
      ...typeof body === 'string' ? { body } : { bytes: Buffer.from(body).toString('base64') },
      ...this.#number !== undefined && { number: this.#number },
      ...this.#reactions.size > 0 && { reactions: [...this.#reactions].map(([reaction, members]) => [reaction, [...members]] as const) }
    }
  }

  /** Returns the entry. @param member whose reactions are `mine` */
  read (member?: string): Entry {
    if (this.#reactions.size === 0) return this.#entry
    const reactions = [...this.#reactions].map(([reaction, members]) => {
      return { reaction, count: members.size, ...member !== undefined && members.has(member) && { mine: true as const } }
    })
    return { ...this.#entry, reactions }
  }

  /** Called when the entry is begun. */
  begin (): void { this.#renewedAt = performance.now() }

  /** Called for each append. One that repeats another renews nothing. @param at length of the text before it */
  renew (at: number): void {
    if ([...this.#entry.body as string].length === at) this.#renewedAt = performance.now()
  }

  /** Returns the record of the change that was applied last. */
  record (change: ChangeCursor, { at, by, change: made }: ChangeLine): Changed {
    const { offset, position } = this.#entry
    const record = { offset, position, change, at }
    if ('react' in made) return { ...record, by: by!, made, count: this.#reactions.get(made.react)?.size ?? 0 }
    return 'end' in made ? { ...record, by, made, ended: this.read() } : { ...record, by, made }
  }

  /** Returns whether a change has an effect. @throws Forbidden, EntryDeleted, StreamEnded, InvalidChange, TooManyReactions */
  check (room: string, { own, by, idle = 0, change }: Amendment): boolean {
    const { from, body, data, deleted, streaming = false } = this.#entry
    if (own !== undefined && from?.id !== own) throw new errors.Forbidden('change messages of others', room)
    if ('delete' in change) return deleted !== true
    if (deleted === true) throw new errors.EntryDeleted()
    if ('edit' in change) {
      if (typeof body !== 'string') throw new errors.InvalidChange('a binary message has no text')
      if (streaming) throw new errors.InvalidChange('a message can be edited only after its streaming has ended')
      return change.edit.body !== body || change.edit.data !== data
    }
    if ('append' in change) return this.#checkAppend(change.append, change.at)
    if ('end' in change) return streaming && performance.now() - this.#renewedAt >= idle
    const { react, on } = change
    if ((this.#reactions.get(react)?.has(by!) ?? false) === on) return false
    const pairs = [...this.#reactions.values()].reduce((sum, { size }) => sum + size, 0)
    if (on && (pairs >= MAX_PAIRS || (this.#reactions.size >= MAX_REACTIONS && !this.#reactions.has(react)))) throw new errors.TooManyReactions()
    return true
  }

  /** Applies a change that has an effect. */
  apply ({ number, at, by, change }: ChangeLine, revision: string): void {
    const { offset, position, at: storedAt, from, body, unfinished } = this.#entry
    const kept = { offset, position, at: storedAt, from, revision }
    this.#number = number
    if ('delete' in change) {
      this.#entry = { ...kept, body: '', deleted: true }
      this.#reactions = new Map()
      this.#reactionSize = 0
    } else if ('edit' in change) {
      this.#entry = { ...kept, ...change.edit, ...unfinished !== undefined && { unfinished }, editedAt: at }
    } else if ('append' in change) {
      this.#entry = { ...this.#entry, revision, body: `${body as string}${change.append}` }
    } else if ('end' in change) {
      const { streaming: _, ...rest } = this.#entry
      this.#entry = { ...rest, revision, ...change.unfinished === true && { unfinished: true as const } }
    } else {
      this.#entry = { ...this.#entry, revision }
      this.#react(change.react, by!, change.on)
    }
    this.#measure()
  }

  #checkAppend (text: string, at: number): boolean {
    const { body, streaming } = this.#entry
    if (typeof body !== 'string') throw new errors.StreamEnded()
    const points = [...body]
    if (at < points.length && points.slice(at).join('').startsWith(text)) return false
    if (streaming !== true) throw new errors.StreamEnded()
    if (at !== points.length) throw new errors.InvalidChange(`the text has ${points.length} code points`)
    if (Buffer.byteLength(body + text) > MAX_STREAM_BYTES) throw new errors.InvalidChange(`a streamed text has at most ${MAX_STREAM_BYTES} bytes`)
    return text !== ''
  }

  #react (reaction: string, member: string, on: boolean): void {
    const members = this.#reactions.get(reaction) ?? new Set()
    if (on) this.#reactions.set(reaction, members.add(member))
    else if (members.delete(member) && members.size === 0) this.#reactions.delete(reaction)
    this.#reactionSize += on ? sizeOf(reaction, member) : -sizeOf(reaction, member)
  }

  #measure (): void {
    const { body, data = '' } = this.#entry
    this.#size = 200 + body.length + data.length
  }
}

function sizeOf (reaction: string, member: string): number { return reaction.length + member.length + 8 }
