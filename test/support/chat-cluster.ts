import { fork, type ChildProcess } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import { ChatClient, type ChatError, type ClientRoom, type ClientSocket, type Message } from '../../src/client/index.ts'

/** Told whenever anything that a test may wait for has changed. */
const changes = new EventEmitter().setMaxListeners(0)
const changed = () => { changes.emit('change') }

/** Resolves once it holds. */
export async function until (holds: () => boolean): Promise<void> {
  while (!holds()) await once(changes, 'change')
}

/** Who is in a room, as one node sees it. */
export interface Presence { readonly room: string, readonly count: number, readonly stale: boolean }

/** A node of a chat, in a process of its own. */
export interface ChatNode {
  readonly port: number
  /** What it last told of a room it watches. */
  readonly presences: ReadonlyMap<string, Presence>
  watch (room: string): void
  kill (): Promise<void>
}

/** @param url where its Redis is @param inFlight posts that may be on their way there */
export async function chatNode (t: Test, url: string, inFlight: number): Promise<ChatNode> {
  const child: ChildProcess = fork(new URL('fixtures/chat-node.ts', import.meta.url), [url, String(inFlight)], { execArgv: process.execArgv })
  const exit = once(child, 'exit')
  const kill = async () => {
    child.kill('SIGKILL')
    await exit
  }
  t.teardown(kill)
  const presences = new Map<string, Presence>()
  const [{ port }] = await Promise.race([once(child, 'message'), exit.then(() => { throw new Error('the node ended') })]) as [{ port: number }]
  child.on('message', (presence: Presence) => {
    presences.set(presence.room, presence)
    changed()
  })
  return { port, presences, watch: (room) => { child.send(room) }, kill }
}

export interface ParticipantOptions {
  readonly name: string
  readonly room: string
  /** Gives the port to connect to; asked each time. */
  readonly port: () => number
}

/** A client in one room that keeps all it was told. */
export class Participant {
  readonly name: string
  readonly client: ChatClient
  /** What it was given in the room: a new list each time it was told that it must throw away what it has. */
  readonly views: Message[][] = [[]]
  readonly posted: string[] = []
  /** Positions by text. */
  readonly acked = new Map<string, string>()
  /** Why, by text. */
  readonly rejected = new Map<string, string>()
  /** Codes of all errors that the server answered with, those after which the client tries again too. */
  readonly refusals: string[] = []
  /** Why it lost its connection, each time. */
  readonly breaks: string[] = []
  #stopped = false
  #room: ClientRoom | undefined
  #socket: WebSocket | undefined

  /** Resolves when it has joined. */
  static async join (t: Test, options: ParticipantOptions): Promise<Participant> {
    const participant = new Participant(options)
    t.teardown(() => participant.client.close())
    await participant.#join(options.room)
    return participant
  }

  private constructor ({ name, port }: ParticipantOptions) {
    this.name = name
    this.client = new ChatClient('', {
      minDelay: 10,
      maxDelay: 100,
      connect: (_url, protocol) => {
        const socket = this.#socket = new WebSocket(`ws://127.0.0.1:${port()}/chat`, protocol)
        socket.on('message', (data: Buffer) => {
          const { type, code } = JSON.parse(data.toString()) as { type: string, code?: string }
          if (type !== 'error') return
          this.refusals.push(code!)
          changed()
        })
        return socket as unknown as ClientSocket
      }
    })
    this.client.on('status', (status) => {
      if (status.state === 'waiting') this.breaks.push(`${status.code} ${status.reason}`)
      changed()
    })
  }

  get view (): readonly Message[] { return this.views.at(-1)! }

  /** Posts, so many at a time and each once the one before was answered, until it is stopped or closed. */
  async post (): Promise<void> {
    const one = async () => {
      while (!this.#stopped && this.client.status.state !== 'closed') await this.say(`${this.name} ${this.posted.length}`)
    }
    await Promise.all([one(), one(), one(), one()])
  }

  stop (): void { this.#stopped = true }

  /** Resolves when it was acknowledged, or refused for good. */
  async say (text: string): Promise<void> {
    this.posted.push(text)
    try {
      this.acked.set(text, await this.#room!.post(text))
    } catch (error) {
      this.rejected.set(text, (error as ChatError).code)
    }
    changed()
  }

  /** Loses its connection, which the server is not told. */
  drop (): void { this.#socket!.terminate() }

  async #join (name: string): Promise<void> {
    const room = this.#room = await this.client.join(name, { history: 0 })
    room.on('joined', ({ complete, messages }) => {
      if (!complete) this.views.push([])
      this.views.at(-1)!.push(...messages)
      changed()
    })
    room.on('message', (message) => {
      this.views.at(-1)!.push(message)
      changed()
    })
  }
}
