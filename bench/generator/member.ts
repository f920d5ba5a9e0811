import { connect, type Socket } from 'node:net'
import { BINARY, CLOSE, FrameReader, PING, PONG, RSV1, TEXT, maskedFrame } from '../frames.ts'
import { assertUpgraded, upgradeRequest, type Offer } from '../handshake.ts'
import { Kind, type Dialect } from './dialects.ts'
import { isBy, stampOf, type Posts } from './post.ts'

/** The state that all members of a group share. */
export interface MemberGroup {
  readonly dialect: Dialect
  readonly compressed: boolean
  /** characters of a post */
  readonly size: number
  /** Messages that all members have received. */
  deliveries: number
  /** Bytes from the start of a message's text to the end of its frame, found by a probe. */
  readonly tail: number | undefined
  /** Called with a message that arrives before `tail` is known. */
  onProbe (payload: Uint8Array, first: number): void
  /** Called when a member has received its own message or its acknowledgement. */
  onAnswer (member: Member): void
  /** @param n index of the message among those that the member received */
  onMessage (stamp: number | undefined, n: number): void
  /** Called after each read. Writes the posts that `onAnswer` has added. */
  onRead (member: Member): void
  onError (reason: string): void
}

/** Shared by all members: each chunk is handled before the next is read. */
const buffer = Buffer.allocUnsafeSlow(256 * 1024)

/** A client with its own socket. */
export class Member {
  /** Available once the member has entered. */
  post!: Posts
  messages = 0
  acks = 0
  posts = 0
  /** Posts to write once the current chunk is handled. */
  due = 0
  readonly room: string
  readonly #index: number
  readonly #group: MemberGroup
  readonly #socket: Socket
  readonly #postsTo: (target: string) => Posts
  #step = 0
  #head: string | undefined = ''
  /** the last answer of the opening */
  #answer = ''
  #entered!: () => void
  #joined: (() => void) | undefined
  /** Resolves when the opening is complete. */
  readonly entered = new Promise<void>((resolve) => { this.#entered = resolve })

  /** @param postsTo returns what the member sends, given the position of the message that it changes */
  constructor (index: number, room: string, postsTo: (target: string) => Posts, group: MemberGroup, offer: Offer) {
    this.#postsTo = postsTo
    this.room = room
    this.#index = index
    this.#group = group
    const frames = new FrameReader(this)
    this.#socket = connect({
      host: '127.0.0.1',
      port: offer.port,
      noDelay: true,
      onread: {
        buffer,
        callback: (length) => {
          if (this.#head === undefined) frames.read(buffer, 0, length)
          else frames.read(buffer, this.#upgrade(offer, length), length)
          group.onRead(this)
          return true
        }
      }
    })
    this.#socket.on('error', (error) => group.onError(error.message))
    this.#socket.on('close', () => group.onError(`the server closed the connection of member ${index}`))
    this.#socket.write(upgradeRequest(offer))
  }

  write (frames: Buffer): void { this.#socket.write(frames) }

  /** Resolves when the answer to the join was read. */
  join (room: string): Promise<void> {
    this.#send(this.#group.dialect.join!(room))
    return new Promise((resolve) => { this.#joined = resolve })
  }

  frame (first: number, bytes: Uint8Array, start: number, end: number): void {
    const opcode = first & 0x0f
    if (opcode !== TEXT && opcode !== BINARY) return this.#control(opcode, bytes.subarray(start, end))
    const { dialect, compressed, tail } = this.#group
    if (this.#step < dialect.opening.length) return this.#enter(Buffer.from(bytes.subarray(start, end)).toString())
    const kind = dialect.kind(bytes, start)
    if (kind === Kind.message) {
      const posts = dialect.posts?.(bytes, start, end, this.#group.size) ?? 1
      if (posts === 0) return
      this.messages += posts
      this.#group.deliveries += posts
      if (tail === undefined) return this.#group.onProbe(bytes.subarray(start, end), first)
      // The text of a compressed message isn't read, so its latency is taken from its index.
      if (compressed) {
        if ((first & RSV1) === 0) this.#group.onError('the server does not compress')
        return this.#group.onMessage(undefined, this.messages - 1)
      }
      if (!dialect.hasText) return
      const text = end - tail
      const stamp = stampOf(bytes, text)
      if (stamp !== undefined) this.#group.onMessage(stamp, this.messages - 1)
      if (!dialect.acks && isBy(this.#index, bytes, text)) this.#group.onAnswer(this)
    } else if (kind === Kind.ack) {
      this.acks++
      if (tail !== undefined) this.#group.onAnswer(this)
    } else if (kind === Kind.joined) {
      this.#joined?.()
    } else if (kind === Kind.ping) {
      this.#send(dialect.pong!)
    } else if (kind === Kind.error) {
      this.#group.onError(`error from the server: ${Buffer.from(bytes.subarray(start, end)).toString()}`)
    }
  }

  #send (text: string): void { this.write(maskedFrame(TEXT, Buffer.from(text))) }

  #control (opcode: number, payload: Uint8Array): void {
    if (opcode === PING) this.write(maskedFrame(PONG, Buffer.from(payload)))
    else if (opcode === CLOSE) this.#group.onError(`the server closed with ${Buffer.from(payload).readUInt16BE()}: ${Buffer.from(payload.subarray(2)).toString()}`)
    else this.#group.onError(`received a frame with opcode ${opcode}`)
  }

  /** Reads the answer to the upgrade. Returns the start of the frames. */
  #upgrade (offer: Offer, length: number): number {
    const had = this.#head!.length
    this.#head += buffer.toString('latin1', 0, length)
    const end = this.#head!.indexOf('\r\n\r\n')
    if (end === -1) return length
    try {
      assertUpgraded(this.#head!.slice(0, end), offer)
    } catch (error) {
      this.#group.onError((error as Error).message)
    }
    this.#head = undefined
    this.#proceed()
    return end + 4 - had
  }

  #enter (text: string): void {
    if (!text.startsWith(this.#group.dialect.opening[this.#step]!.until)) return
    this.#step++
    this.#answer = text
    this.#proceed()
  }

  #proceed (): void {
    const { opening, target } = this.#group.dialect
    if (this.#step === opening.length) {
      this.post = this.#postsTo(target?.(this.#answer) ?? '')
      return this.#entered()
    }
    const { send } = opening[this.#step]!
    if (send !== undefined) this.#send(send(`member-${this.#index}`, this.room))
  }
}
