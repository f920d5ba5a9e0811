import { fork, type ChildProcess } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import { ChatClient, type ChatError, type ClientRoom, type ClientSocket, type Message } from '../../src/client/node.ts'
import { typescriptArguments } from './typescript-arguments.ts'

/** Emits `change` whenever a condition that a test waits for may have changed. */
const changes = new EventEmitter().setMaxListeners(0)
const changed = () => { changes.emit('change') }

/** Resolves once the condition holds. */
export async function until (holds: () => boolean): Promise<void> {
  while (!holds()) await once(changes, 'change')
}

/** The members of a room in the view of one node. */
export interface Presence { readonly room: string, readonly count: number, readonly stale: boolean }

/** A chat node in a separate process. */
export interface ChatNode {
  readonly port: number
  /** The last presence that it reported, by watched room. */
  readonly presences: ReadonlyMap<string, Presence>
  watch (room: string): void
  kill (): Promise<void>
}

/** Starts a node. @param url of its Redis @param inFlight posts that may be in flight to it */
export async function chatNode (t: Test, url: string, inFlight: number): Promise<ChatNode> {
  const child: ChildProcess = fork(new URL('fixtures/chat-node.ts', import.meta.url), [url, String(inFlight)], { execArgv: [...typescriptArguments] })
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
  /** Returns the port. Called for each connection. */
  readonly port: () => number
}

/** A client in one room that records everything it receives. */
export class Participant {
  readonly name: string
  readonly client: ChatClient
  /** The messages received in the room: a new list after each `complete: false`. */
  readonly views: Message[][] = [[]]
  readonly posted: string[] = []
  /** Positions by text. */
  readonly acked = new Map<string, string>()
  /** Error codes, by text. */
  readonly rejected = new Map<string, string>()
  /** Codes of all errors that the server sent, including those after which the client retries. */
  readonly refusals: string[] = []
  /** The code and reason of each lost connection. */
  readonly breaks: string[] = []
  #stopped = false
  #room: ClientRoom | undefined
  #socket: WebSocket | undefined

  /** Resolves with a participant that has joined. */
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

  /** Keeps four posts in flight until it is stopped or closed. */
  async post (): Promise<void> {
    const one = async () => {
      while (!this.#stopped && this.client.status.state !== 'closed') await this.say(`${this.name} ${this.posted.length}`)
    }
    await Promise.all([one(), one(), one(), one()])
  }

  stop (): void { this.#stopped = true }

  /** Resolves when the post is acknowledged or finally rejected. */
  async say (text: string): Promise<void> {
    this.posted.push(text)
    try {
      this.acked.set(text, await this.#room!.post(text))
    } catch (error) {
      this.rejected.set(text, (error as ChatError).code)
    }
    changed()
  }

  /** Terminates the connection. */
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
