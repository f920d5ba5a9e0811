import {
  ChatClient, ChatError, applyChange, type Change, type Changed, type ChatClientOptions, type ClientRoom, type HistoryPage, type Member, type Message,
  type Reaction, type Status
} from 'fastify-chat/client'
import { describe, expect, test } from 'tstyche'

const client = new ChatClient('wss://example.com/chat', { name: 'ada' })

describe('options', () => {
  test('a token is a string or a function', () => {
    expect<ChatClientOptions>().type.toBeAssignableFrom({ token: 'a' })
    expect<ChatClientOptions>().type.toBeAssignableFrom({ token: async () => 'a' })
    expect<ChatClientOptions>().type.not.toBeAssignableFrom({ token: 1 })
  })

  test('the WebSocket of the platform fits `connect`', () => {
    expect<ChatClientOptions>().type.toBeAssignableFrom({ connect: (url: string, protocol: string) => new WebSocket(url, protocol) })
  })
})

describe('events', () => {
  test('the client emits its status and errors', () => {
    client.on('status', (status) => { expect(status).type.toBe<Status>() })
    client.on('error', (error) => { expect(error).type.toBe<ChatError>() })
    expect(client.on('status', () => {})).type.toBe<() => void>()
    expect(client.on).type.not.toBeCallableWith('message', () => {})
  })

  test('a status of one state has the properties of that state', () => {
    const { status } = client
    if (status.state === 'online') expect(status.member).type.toBe<Member>()
    else expect(status).type.not.toHaveProperty('member')
  })

  test('a room emits messages, presence, typing and its end', () => {
    const room = {} as ClientRoom
    room.on('message', (message) => { expect(message).type.toBe<Message>() })
    room.on('joined', ({ again, complete }) => { expect({ again, complete }).type.toBe<{ again: boolean, complete: boolean }>() })
    room.on('changed', (changed) => { expect(changed).type.toBe<Changed>() })
    room.on('typing', (member) => { expect(member).type.toBe<Member>() })
    room.on('left', (error) => { expect(error).type.toBe<ChatError>() })
    expect(room.on).type.not.toBeCallableWith('status', () => {})
  })
})

test('a room changes messages, and a change is applied to a message', async () => {
  const room = await client.join('lobby', { after: 'position', revision: 'revision' })
  expect(room.edit('position', 'text', { any: 'data' })).type.toBe<Promise<void>>()
  expect(room.delete('position')).type.toBe<Promise<void>>()
  expect(room.react('position', '👍')).type.toBe<Promise<void>>()
  expect(room.unreact('position', '👍')).type.toBe<Promise<void>>()
  expect(applyChange({} as Message, {} as Changed)).type.toBe<Message>()
  expect<Change>().type.toBeAssignableFrom<Changed>()
  expect<Message>().type.toHaveProperty('reactions')
  expect<Reaction['mine']>().type.toBe<boolean | undefined>()
})

test('a room posts, reads its history and iterates over its messages', async () => {
  const room = await client.join('lobby', { history: 10 })
  expect(room).type.toBe<ClientRoom>()
  expect(room.post('hi')).type.toBe<Promise<string>>()
  expect(room.history('position')).type.toBe<Promise<HistoryPage>>()
  for await (const message of room) expect(message).type.toBe<Message>()
  expect(room.post).type.not.toBeCallableWith(1)
})
