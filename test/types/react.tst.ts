import { createElement } from 'react'
import { ChatClient, type ChatError, type ClientRoom, type ClientTypes, type Member, type Status, type TimelineItem } from 'fastify-chat/client'
import { ChatProvider, useChatClient, useRoom, type ChatProviderProps, type RoomActions, type UseRoomResult } from 'fastify-chat/react'
import { describe, expect, test } from 'tstyche'

interface Types { readonly data: { readonly url: string }, readonly memberData: { readonly role: string } }

describe('the provider', () => {
  test('has a client, or a URL with options', () => {
    const client = new ChatClient<Types>('wss://example.com/chat')
    expect<ChatProviderProps>().type.toBeAssignableFrom({ client })
    expect<ChatProviderProps>().type.toBeAssignableFrom({ url: '/chat' })
    expect<ChatProviderProps>().type.toBeAssignableFrom({ url: '/chat', options: { name: 'ada' }, children: 'text' })
    expect<ChatProviderProps>().type.not.toBeAssignableFrom({})
    expect<ChatProviderProps>().type.not.toBeAssignableFrom({ client, url: '/chat' })
    expect<ChatProviderProps>().type.not.toBeAssignableFrom({ client, options: { name: 'ada' } })
    expect<ChatProviderProps>().type.not.toBeAssignableFrom({ options: { name: 'ada' } })
  })

  test('is a component', () => {
    expect(createElement).type.toBeCallableWith(ChatProvider, { url: '/chat' })
  })
})

describe('the hooks', () => {
  test('return a client and a room', () => {
    expect(useChatClient()).type.toBe<ChatClient | undefined>()
    const { room, status, error, count, reportTyping, post } = useRoom('tea')
    expect(room).type.toBe<ClientRoom | undefined>()
    expect(status).type.toBe<Status>()
    expect(error).type.toBe<ChatError | undefined>()
    expect(count).type.toBe<number>()
    expect(post('hello', { any: 'data' })).type.toBe<Promise<string>>()
    expect(reportTyping(false)).type.toBe<void>()
    expect(useRoom).type.toBeCallableWith('tea', { history: 20, size: 100 })
    expect(useRoom).type.not.toBeCallableWith('tea', { after: 'position' })
  })

  test("have the app's types", () => {
    expect(useChatClient<Types>()).type.toBe<ChatClient<Types> | undefined>()
    const { room, status, items, members, post, edit } = useRoom<Types>('tea')
    expect(status).type.toBe<Status<Types['memberData']>>()
    expect(room).type.toBe<ClientRoom<Types> | undefined>()
    expect(items).type.toBe<ReadonlyArray<TimelineItem<Types['data']>>>()
    expect(members).type.toBe<ReadonlyMap<string, Member<Types['memberData']>>>()
    expect(post).type.toBeCallableWith('hello', { url: '/a.png' })
    expect(post).type.not.toBeCallableWith('hello', { url: 1 })
    expect(edit).type.not.toBeCallableWith('position', 'hello', 'data')
    expect<UseRoomResult<ClientTypes>>().type.toBeAssignableFrom<UseRoomResult>()
    expect<RoomActions<Types>>().type.toBeAssignableFrom<UseRoomResult<Types>>()
  })
})
