import fc from 'fast-check'
import t from 'tap'
import { backoff } from '../../src/client/backoff.ts'
import { roomReads } from '../../src/client/room/room-reads.ts'
import type { Joined, Message } from '../../src/client/node.ts'

type Step =
  | { readonly post: 'own' | 'other device' | 'other member' }
  | { readonly deliver: number }
  | { readonly mark: number }
  | { readonly otherDevice: number }
  | 'send'
  | { readonly cut: { readonly page: number, readonly isComplete: boolean, readonly lost: boolean, readonly isLate: boolean } }

const share = fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ post: fc.constantFrom('other member', 'other member', 'other member', 'own', 'other device') }) },
  { weight: 6, arbitrary: fc.record({ deliver: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 4, arbitrary: fc.record({ mark: share }) },
  { weight: 3, arbitrary: fc.record({ otherDevice: share }) },
  { weight: 2, arbitrary: fc.constant('send') },
  { weight: 2, arbitrary: fc.record({ cut: fc.record({ page: fc.integer({ min: 0, max: 5 }), isComplete: fc.boolean(), lost: fc.boolean(), isLate: fc.boolean() }) }) }
)

/** A server with one room, and the connection of one device. Entries are named by their offsets. */
class Model {
  readonly #isOwn: boolean[] = []
  /** Offset of the read position on the server. */
  read = 0
  /** The largest offset that this device has marked. */
  marked = 0
  /** The largest offset that another device has marked. It repeats its marks that the server has lost. */
  #markedElsewhere = 0
  /** What was sent to the device and has not arrived. */
  #sent: Array<{ readonly message: number } | { readonly marked: number }> = []
  #received = 0
  /** Offset of the oldest message that the device knows. */
  #first = 1
  readonly reads = roomReads({
    send: (position) => {
      this.read = Math.max(this.read, Number(position))
      return 0
    },
    isOwn: ({ from }) => from?.id === 'me'
  }, backoff(1, 1))

  get head (): number { return this.#isOwn.length }

  constructor () { this.reads.join(this.#joined(0, 0, true), false) }

  run (step: Step): void {
    if (step === 'send') this.reads.send()
    else if ('post' in step) this.#post(step.post !== 'other member')
    else if ('deliver' in step) this.deliver(step.deliver)
    else if ('mark' in step) this.#mark(step.mark)
    else if ('otherDevice' in step) this.#markOnOtherDevice(step.otherDevice)
    else this.#rejoin(step.cut)
  }

  deliver (count: number): void {
    for (const item of this.#sent.splice(0, count)) {
      if ('marked' in item) this.reads.move(String(item.marked), false)
      else {
        this.#received = item.message
        this.reads.add(this.#message(item.message))
      }
    }
  }

  #post (isOwn: boolean): void {
    this.#isOwn.push(isOwn)
    if (isOwn) this.read = this.head
    this.#sent.push({ message: this.head })
  }

  #mark (share: number): void {
    const offset = Math.round(this.#first + share * (this.#received - this.#first))
    if (offset <= 0 || offset > this.#received) return
    this.marked = Math.max(this.marked, offset)
    this.reads.move(String(offset), true)
  }

  #markOnOtherDevice (share: number): void {
    const offset = Math.round(share * this.head)
    if (offset <= this.read || offset < this.#first) return
    this.read = this.#markedElsewhere = offset
    // It may overtake messages, but no earlier read position.
    this.#sent.splice(this.#sent.findLastIndex((item) => 'marked' in item) + 1, 0, { marked: offset })
  }

  /**
   * Joins again after a break, and receives a page of what it missed.
   * @param lost whether the server has lost marks of this device, but not posts
   * @param isLate whether the read position has moved after the page was read, and its move arrives first
   */
  #rejoin ({ page, isComplete, lost, isLate }: { page: number, isComplete: boolean, lost: boolean, isLate: boolean }): void {
    // After a gap, the client doesn't know how many messages follow a mark that waits.
    if (!isComplete) this.reads.send()
    this.#sent = []
    if (lost && isComplete) this.read = Math.max(this.#isOwn.lastIndexOf(true) + 1, this.#markedElsewhere, this.read - 2)
    const from = isComplete ? this.#received : Math.max(0, this.head - page)
    const to = isComplete ? Math.min(this.head, this.#received + page) : this.head
    if (!isComplete) this.#first = Math.max(1, from + 1)
    this.#received = to
    const isOlder = isLate && !isComplete && this.read > from
    if (isOlder) this.reads.move(String(this.read), false)
    this.reads.join(this.#joined(from, to, isComplete, isOlder), isComplete)
    for (let offset = to + 1; offset <= this.head; offset++) this.#sent.push({ message: offset })
    if (this.read > to) this.#sent.push({ marked: this.read })
  }

  /** @param isOlder whether the answer has no read position, because it was read before there was one */
  #joined (from: number, to: number, complete: boolean, isOlder = false) {
    const messages = Array.from({ length: to - from }, (_, i) => this.#message(from + 1 + i))
    // The server sends a read position beyond the page after the messages up to it.
    const own = isOlder || this.read > to ? {} : { readPosition: String(this.read), unread: to - this.read }
    const state = { position: String(to), complete, ...own }
    return { type: 'joined' as const, room: 'lobby', members: [], count: 1, messages, ...state } as unknown as Joined
  }

  #message (offset: number): Message {
    return { room: 'lobby', position: String(offset), at: '', from: { id: this.#isOwn[offset - 1] ? 'me' : 'other', name: '' }, text: '' }
  }
}

t.test('the count matches the server when all messages have arrived', async (t) => {
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const model = new Model()
    for (const step of steps) {
      model.run(step)
      const { unread } = model.reads
      if (unread !== undefined && !(Number.isInteger(unread) && unread >= 0 && unread <= model.head)) throw new Error(`unread is ${unread}`)
    }
    model.deliver(Infinity)
    model.reads.send()
    const { position, unread } = model.reads
    if (model.read < model.marked) throw new Error(`the server has ${model.read} in place of ${model.marked}`)
    if (position !== String(model.read) || unread !== model.head - model.read) {
      throw new Error(`${position} and ${unread}, not ${model.read} and ${model.head - model.read}`)
    }
  }), { numRuns: 3_000 })
  t.pass()
})
