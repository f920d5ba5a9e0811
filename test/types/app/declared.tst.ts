import Fastify from 'fastify'
import { ChatClient, type ClientTypes } from 'fastify-chat/client'
import type { Authenticated, ChatChange, ChatData, ChatEntry, ChatMember, ChatTypes, FastifyChatOptions, MemberData, PostDraft, RoomMembers } from 'fastify-chat'
import { describe, expect, test } from 'tstyche'

interface Attachment { mood: string }
interface Profile { readonly picture: string }

declare module 'fastify-chat' {
  interface ChatTypes {
    data: Attachment
    memberData: Profile
  }
}

const { chat } = Fastify()

describe('an app that declares ChatTypes', () => {
  test('the data of messages has its type in hooks and in app.chat', async () => {
    expect<ChatData>().type.toBe<{ mood: string }>()
    expect<ChatEntry['data']>().type.toBe<{ mood: string } | undefined>()
    expect<PostDraft['data']>().type.toBe<{ mood: string } | undefined>()
    expect<Extract<ChatChange, { type: 'edit' }>['data']>().type.toBe<{ mood: string } | undefined>()
    expect((await chat.history('a')).entries).type.toBe<readonly ChatEntry[]>()
    expect(chat.publish).type.toBeCallableWith('a', { text: '', data: { mood: 'glad' } })
    expect(chat.publish).type.not.toBeCallableWith('a', { text: '', data: { mood: 1 } })
    expect(chat.edit).type.not.toBeCallableWith('a', 'position', { text: '', data: 'glad' })
    expect(chat.createWriteStream).type.not.toBeCallableWith('a', { data: 1 })
    expect(chat.subscribe).type.toBeCallableWith('a', ({ data }: { data?: { mood: string } }) => { void data?.mood })
  })

  test('the data of members has its type in hooks and in app.chat', async () => {
    expect<MemberData>().type.toBe<Profile>()
    expect<ChatMember['data']>().type.toBe<Profile | undefined>()
    expect<Authenticated>().type.toBeAssignableFrom({ id: 'u1', data: { picture: '/1.png' } })
    expect<Authenticated>().type.toBeAssignableFrom({ id: 'u1', data: null })
    expect<Authenticated>().type.not.toBeAssignableFrom({ id: 'u1', data: { picture: 1 } })
    expect(await chat.members('a')).type.toBe<RoomMembers>()
    expect((await chat.members('a')).members[0]!.data).type.toBe<Profile | undefined>()
    type Authorize = NonNullable<FastifyChatOptions['authorize']>
    expect<Parameters<Authorize>[0]['member']['data']>().type.toBe<Profile | undefined>()
  })
})

describe('a client with the types of the server', () => {
  test('has the types that the app declares', async () => {
    expect<ClientTypes>().type.toBeAssignableFrom<ChatTypes>()
    const client = new ChatClient<ChatTypes>('wss://example.com/chat')
    const room = await client.join('a')
    expect(room.post).type.toBeCallableWith('', { mood: 'glad' })
    expect(room.post).type.not.toBeCallableWith('', { mood: 1 })
    room.on('message', ({ data }) => { expect(data).type.toBe<Attachment | undefined>() })
    room.on('changed', ({ data }) => { expect(data).type.toBe<Attachment | undefined>() })
    for (const { data } of room.members.values()) expect(data).type.toBe<ChatMember['data']>()
  })
})
