import {
  ChatClient, ChatError, applyChange, type Change, type Changed, type ChatClientOptions, type ClientRoom, type ClientTypes, type HistoryPage,
  type Member, type Message, type Reaction, type ReadPosition, type Sender, type Status, type UnreadRoom
} from 'fastify-chat/client'
import { describe, expect, test } from 'tstyche'

const client = new ChatClient('wss://example.com/chat', { name: 'ada' })

describe('options', () => {
  test('a token is a string or a function', () => {
    expect<ChatClientOptions>().type.toBeAssignableFrom({ token: 'a' })
    expect<ChatClientOptions>().type.toBeAssignableFrom({ token: async () => 'a' })
    expect<ChatClientOptions>().type.not.toBeAssignableFrom({ token: 1 })
  })

  test('a session is a string, or kept in a storage or by two functions', () => {
    expect<ChatClientOptions>().type.toBeAssignableFrom({ session: 'secret' })
    expect<ChatClientOptions>().type.toBeAssignableFrom({ session: { getItem: () => 'secret', setItem: () => {} } })
    expect<ChatClientOptions>().type.toBeAssignableFrom({ session: { getItem: async () => null, setItem: async () => {} } })
    expect<ChatClientOptions>().type.not.toBeAssignableFrom({ session: () => 'secret' })
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

  test('a listener or a promise receives one event', () => {
    expect(client.once('status')).type.toBe<Promise<Status>>()
    expect(client.once('error', (error) => { expect(error).type.toBe<ChatError>() })).type.toBe<() => void>()
    expect(client.off).type.toBeCallableWith('error', () => {})
    expect(client.off).type.not.toBeCallableWith('message', () => {})
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
    room.on('typing', (typing) => { expect(typing).type.toBe<Sender & { readonly on: boolean }>() })
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

test('a client and a room are disposable', () => {
  expect<Disposable>().type.toBeAssignableFrom<ChatClient>()
  expect<Disposable>().type.toBeAssignableFrom<ClientRoom>()
})

test('a room posts, reads its history and iterates over its messages', async () => {
  const room = await client.join('lobby', { history: 10 })
  expect(room).type.toBe<ClientRoom>()
  expect(room.post('hi')).type.toBe<Promise<string> & { readonly id: string }>()
  expect(await room.post('hi')).type.toBe<string>()
  expect(room.hasOlder).type.toBe<boolean | undefined>()
  expect(room.history('position')).type.toBe<Promise<HistoryPage>>()
  for await (const message of room) expect(message).type.toBe<Message>()
  expect(room.post).type.not.toBeCallableWith(1)
})

test('a room sends and receives signals, and the client receives direct messages', async () => {
  const room = await client.join('lobby')
  expect(room.signal({ any: 'data' })).type.toBe<boolean>()
  expect(room.typing(false)).type.toBe<void>()
  room.on('signal', ({ from, data }) => {
    expect(from).type.toBe<Sender>()
    expect(data).type.toBe<unknown>()
  })
  room.on('typing', ({ id, name, on }) => { expect({ id, name, on }).type.toBe<{ id: string, name: string, on: boolean }>() })
  client.on('direct', ({ data }) => { expect(data).type.toBe<unknown>() })
})

test('a room has a read position, and the client lists rooms', async () => {
  const room = await client.join('lobby')
  expect(room.readPosition).type.toBe<string | undefined>()
  expect(room.unread).type.toBe<number | undefined>()
  expect(room.markRead()).type.toBe<void>()
  expect(room.markRead).type.toBeCallableWith('position')
  room.on('readPosition', (event) => { expect(event).type.toBe<ReadPosition>() })
  for await (const listed of client.rooms()) expect(listed).type.toBe<UnreadRoom>()
  expect(client.forget('lobby')).type.toBe<boolean>()
})

describe("the app's types", () => {
  interface Attachment { readonly url: string }
  interface Profile { readonly role: string }
  interface Types { readonly data: Attachment, readonly memberData: Profile }
  const typed = new ChatClient<Types>('wss://example.com/chat')

  test('type the data of messages', async () => {
    const room = await typed.join('lobby')
    expect(room).type.toBe<ClientRoom<Types>>()
    expect(room.post).type.toBeCallableWith('hi', { url: '/a.png' })
    expect(room.post).type.toBeCallableWith('hi')
    expect(room.post).type.not.toBeCallableWith('hi', { url: 1 })
    expect(room.edit).type.toBeCallableWith('position', 'hi', { url: '/a.png' })
    expect(room.edit).type.not.toBeCallableWith('position', 'hi', 'data')
    room.on('message', (message) => {
      expect(message).type.toBe<Message<Attachment>>()
      expect(message.data).type.toBe<Attachment | undefined>()
    })
    room.on('changed', (changed) => {
      expect(changed).type.toBe<Changed<Attachment>>()
      expect(applyChange({} as Message<Attachment>, changed)).type.toBe<Message<Attachment>>()
    })
    room.on('joined', ({ messages, changes = [] }) => {
      expect(messages).type.toBe<Array<Message<Attachment>>>()
      expect(changes).type.toBe<Array<Change<Attachment>>>()
    })
    expect(room.history('position')).type.toBe<Promise<HistoryPage<Attachment>>>()
    expect((await room.history('position')).messages).type.toBe<Array<Message<Attachment>>>()
    for await (const { data } of room) expect(data).type.toBe<Attachment | undefined>()
    for await (const { last } of typed.rooms()) expect(last).type.toBe<Message<Attachment> | undefined>()
  })

  test('type the data of members', async () => {
    const room = await typed.join('lobby')
    typed.on('status', (status) => { expect(status).type.toBe<Status<Profile>>() })
    if (typed.status.state === 'online') expect(typed.status.member.data).type.toBe<Profile | undefined>()
    expect(room.members).type.toBe<ReadonlyMap<string, Member<Profile>>>()
    expect(typed.member).type.toBe<Member<Profile> | undefined>()
    room.on('joined', ({ members }) => { expect(members).type.toBe<Array<Member<Profile>>>() })
    room.on('presence', ({ joined, left }) => { expect([joined, left]).type.toBe<Array<Array<Member<Profile>>>>() })
  })

  test('are unknown where they are absent', async () => {
    const room = await new ChatClient<{ data: Attachment }>('wss://example.com/chat').join('lobby')
    room.on('message', ({ data }) => { expect(data).type.toBe<Attachment | undefined>() })
    for (const { data } of room.members.values()) expect(data).type.toBe<unknown>()
    const untyped = await client.join('lobby')
    untyped.on('message', ({ data }) => { expect(data).type.toBe<unknown>() })
    expect<ClientTypes>().type.toBeAssignableFrom<Types>()
  })

  test('a typed room is accepted where any room is, and its members and messages too', () => {
    expect<ClientRoom>().type.toBeAssignableFrom<ClientRoom<Types>>()
    expect<ChatClient>().type.toBeAssignableFrom<ChatClient<Types>>()
    expect<Message>().type.toBeAssignableFrom<Message<Attachment>>()
    expect<Member>().type.toBeAssignableFrom<Member<Profile>>()
    expect<Message<Attachment>>().type.not.toBeAssignableFrom<Message<Profile>>()
  })
})
