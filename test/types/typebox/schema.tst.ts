import { ChatClient, type ClientRoom } from 'fastify-chat/client'
import type { ChatData, ChatEntry, FastifyChatOptions } from 'fastify-chat'
import Type from 'typebox'
import { describe, expect, test } from 'tstyche'

const messageData = Type.Object({ mood: Type.String() })
type Data = Type.Static<typeof messageData>

declare module 'fastify-chat' {
  interface ChatTypes { data: Data }
}

describe('one schema of TypeBox', () => {
  test('validates on the server, and types the data there and in the client', async () => {
    expect<FastifyChatOptions>().type.toBeAssignableFrom({ dataSchema: messageData })
    expect<ChatData>().type.toBe<Data>()
    const room = await new ChatClient<{ data: Data }>('wss://example.com/chat').join('a')
    expect(room.post).type.toBeCallableWith('', { mood: 'glad' })
    expect(room.post).type.not.toBeCallableWith('', { mood: 1 })
    expect(room.edit).type.not.toBeCallableWith('position', '', 'glad')
    room.on('message', ({ data }) => { expect(data).type.toBe<ChatEntry['data']>() })
  })

  test('types a client that the declaration of the server does not reach', () => {
    const schema = Type.Object({ url: Type.String() })
    expect<FastifyChatOptions>().type.toBeAssignableFrom({ dataSchema: schema })
    const room = {} as ClientRoom<{ data: Type.Static<typeof schema> }>
    room.on('message', ({ data }) => { expect(data).type.toBe<{ url: string } | undefined>() })
  })
})
