import { ChatError, type ChatClient, type ClientRoom } from '../client/index.ts'

/**
 * Resolves with the reason when a room has ended: by the server, or by `leave()` or `close()` of the app. These emit no `left`, but
 * they end the iterations of the room.
 */
export async function roomEnd (client: ChatClient, room: ClientRoom): Promise<ChatError> {
  const messages = room[Symbol.asyncIterator]()
  try {
    while ((await messages.next()).done !== true);
  } catch (error) {
    const { code } = error as ChatError
    // Messages were dropped, and the room goes on.
    return code === 'overflow' ? await roomEnd(client, room) : error as ChatError
  }
  return client.status.state === 'closed'
    ? new ChatError('closed', 'the client was closed')
    : new ChatError('left', `the room ${room.name} was left`)
}
