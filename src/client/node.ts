import { WebSocket } from 'ws'
import type { ClientTypes } from './app-data.ts'
import { ChatClient as PlatformClient } from './client.ts'
import type { ChatClientOptions } from './options.ts'
import type { Connect } from './socket.ts'

export * from './index.ts'

/** Uses the WebSocket of `ws`: Node 20 has none, and that of later versions can't be terminated. */
const connectSocket: Connect = (url, protocol) => new WebSocket(url, protocol) as ReturnType<Connect>

/** The client for Node. */
export class ChatClient<Types extends ClientTypes = ClientTypes> extends PlatformClient<Types> {
  constructor (url: string, options: ChatClientOptions = {}) {
    super(url, { ...options, connect: options.connect ?? connectSocket })
  }
}
