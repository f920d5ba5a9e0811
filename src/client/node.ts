import { WebSocket } from 'ws'
import type { ClientTypes } from './app-data.ts'
import { ChatClient as PlatformClient } from './client.ts'
import type { ChatClientOptions } from './options.ts'
import { explainRefusal, type NodeSocket } from './connection/refused-upgrade.ts'
import type { ClientSocket, Connect } from './connection/socket.ts'
import { socketUrl } from './connection/socket-url.ts'

export * from './index.ts'

/** Uses the WebSocket of `ws`. Node 20 has no WebSocket, and the one of later versions has no `terminate`. */
const connectSocket: Connect = (url, protocol) => {
  const socket = new WebSocket(url, protocol)
  explainRefusal(socket as unknown as NodeSocket)
  return socket as unknown as ClientSocket
}

/** The client for Node. */
export class ChatClient<Types extends ClientTypes = ClientTypes> extends PlatformClient<Types> {
  constructor (url: string, options: ChatClientOptions = {}) {
    const { connect } = options
    if (connect === undefined) super(socketUrl(url), { ...options, connect: connectSocket })
    else super(url, options)
  }
}
