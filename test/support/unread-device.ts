import { WebSocket } from 'ws'
import { ChatClient, type ClientRoom, type ClientSocket } from '../../src/client/node.ts'
import type { UnreadNodes } from './unread-nodes.ts'

/** A device of a member. Its id is that of the member. */
export class UnreadDevice {
  readonly id: string
  readonly client: ChatClient
  readonly rooms = new Map<string, { readonly room: ClientRoom, readonly received: string[] }>()
  node: number
  #socket: WebSocket | undefined

  constructor (id: string, node: number, nodes: UnreadNodes) {
    this.id = id
    this.node = node
    this.client = new ChatClient('', {
      token: id,
      minDelay: 1,
      maxDelay: 10,
      connect: (_url, protocol) => {
        const socket = this.#socket = new WebSocket(`ws://127.0.0.1:${nodes.of(this.node).port}/chat`, protocol)
        return socket as unknown as ClientSocket
      }
    })
  }

  cut (node: number): void {
    this.node = node
    this.#socket?.terminate()
  }

  async join (name: string): Promise<{ readonly room: ClientRoom, readonly received: string[] }> {
    const joined = this.rooms.get(name)
    if (joined !== undefined) return joined
    const room = await this.client.join(name)
    const entered = { room, received: [] as string[] }
    room.on('joined', ({ complete, messages }) => {
      if (!complete) entered.received.length = 0
      entered.received.push(...messages.map(({ position }) => position))
    })
    room.on('message', ({ position }) => entered.received.push(position))
    room.on('left', () => { if (this.rooms.get(name) === entered) this.rooms.delete(name) })
    this.rooms.set(name, entered)
    return entered
  }
}
