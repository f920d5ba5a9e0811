import { createServer } from 'node:http'
import { EventEmitter } from 'node:events'
import { Writable } from 'node:stream'
import Fastify, {
  type FastifyBaseLogger, type FastifyInstance, type FastifyRequest, type RawReplyDefaultExpression, type RawRequestDefaultExpression, type RawServerDefault
} from 'fastify'
import fastifyChat, {
  fastifyChat as named, memory, type Authenticated, type Chat, type ChatChange, type ChatEntry, type ChatPage, type FastifyChatOptions, type Hello, type PostDraft,
  type ChatMember, type Posted, type Position, type ReportedChange, type RoomMembers, type Stats, type TextStream, type WriteStreamOptions
} from 'fastify-chat'
import { connect, type TestConnection } from 'fastify-chat/test'
import { Registry } from 'prom-client'
import { describe, expect, test } from 'tstyche'

interface AuditLogger extends FastifyBaseLogger { audit (message: string): void }

const app = Fastify()

describe('register', () => {
  test('the plugin may be registered with and without options', () => {
    expect(app.register).type.toBeCallableWith(fastifyChat)
    expect(app.register).type.toBeCallableWith(named, { prefix: '/v1', logLevel: 'warn' as const, page: false as const })
    expect(app.register).type.not.toBeCallableWith(fastifyChat, { page: 1 })
  })

  test('apps with a logger of their own, or HTTP/2 with HTTP/1.1 upgrades, may register it', async () => {
    const logging = Fastify({ loggerInstance: {} as AuditLogger })
    await logging.register(fastifyChat, { authenticate: () => null })
    expect(logging.chat).type.toBe<Chat>()
    expect(logging.log).type.toBe<AuditLogger>()

    const secure = Fastify({ http2: true, https: { allowHTTP1: true } })
    await secure.register(fastifyChat)
    expect(secure.chat).type.toBe<Chat>()

    const own = Fastify({ serverFactory: (handler) => createServer(handler) })
    await own.register(fastifyChat)
  })

  test('the routes of @fastify/websocket are typed too', () => {
    app.get('/own', { websocket: true }, (socket) => { expect(socket).type.toBeAssignableTo<EventEmitter>() })
    expect(app.injectWS).type.toBeCallableWith('/own')
  })
})

describe('options', () => {
  test('every option may be omitted or undefined', () => {
    expect<FastifyChatOptions>().type.toBeAssignableFrom({})
    expect<FastifyChatOptions>().type.toBeAssignableFrom({
      page: undefined, echo: undefined, chat: undefined, authenticate: undefined, limits: undefined, origins: undefined
    })
  })

  test('echo, chat and page may be switched off', () => {
    expect<FastifyChatOptions>().type.toBeAssignableFrom({ page: false as const, echo: false as const, chat: false as const })
    expect<FastifyChatOptions>().type.not.toBeAssignableFrom({ chat: true })
  })

  test('unknown limits are errors', () => {
    expect<FastifyChatOptions>().type.toBeAssignableFrom({ limits: { messageRate: 1, connections: Infinity } })
    // @ts-expect-error 'mesageRate' does not exist
    const wrong: FastifyChatOptions = { limits: { mesageRate: 1 } }
    expect(wrong).type.toBe<FastifyChatOptions>()
  })

  test('a registry of prom-client and a backend fit', () => {
    expect<FastifyChatOptions>().type.toBeAssignableFrom({ metrics: new Registry(), backend: memory() })
  })

  test('echo.reply returns text, bytes or nothing', () => {
    type Reply = NonNullable<Exclude<FastifyChatOptions['echo'], false | undefined>['reply']>
    expect<Reply>().type.toBeAssignableFrom((message: string | Buffer) => message)
    expect<Reply>().type.toBeAssignableFrom(async () => undefined)
    expect<Reply>().type.not.toBeAssignableFrom(() => 1)
  })
})

describe('hooks', () => {
  test('authenticate receives the request and the hello', () => {
    type Authenticate = NonNullable<FastifyChatOptions['authenticate']>
    expect<Parameters<Authenticate>>().type.toBe<[request: FastifyRequest, hello: Hello]>()
    expect<Authenticate>().type.toBeAssignableFrom(() => null)
    expect<Authenticate>().type.toBeAssignableFrom(async () => ({ id: 'u1', name: null, expiresAt: new Date() }))
    expect<Authenticate>().type.not.toBeAssignableFrom(() => ({ name: 'ada' }))
    expect<Authenticated>().type.not.toBeAssignableFrom({ id: 1 })
  })

  test('authorize knows the action', () => {
    type Question = Parameters<NonNullable<FastifyChatOptions['authorize']>>[0]
    expect<Question['action']>().type.toBe<'join' | 'post' | 'history' | 'edit' | 'delete' | 'react'>()
    expect<Question['member']>().type.toBe<ChatMember>()
    expect<Question['entry']>().type.toBe<ChatEntry | undefined>()
    expect<NonNullable<FastifyChatOptions['authorize']>>().type.toBeAssignableFrom(
      ({ action, entry, member }: Question) => action !== 'edit' || entry.from?.id === member.id)
  })

  test('prePost receives text or bytes, and returns one of them', () => {
    type PrePost = NonNullable<FastifyChatOptions['prePost']>
    expect<PrePost>().type.toBeAssignableFrom((draft: PostDraft) => draft)
    expect<PrePost>().type.toBeAssignableFrom((draft: PostDraft) => draft.text === undefined ? draft : { ...draft, text: draft.text.trim() })
    expect<PrePost>().type.toBeAssignableFrom(async () => ({ bytes: new Uint8Array(1) }))
    expect<PrePost>().type.not.toBeAssignableFrom(() => ({ data: 1 }))
    expect<PrePost>().type.not.toBeAssignableFrom(() => ({ text: 'x', bytes: new Uint8Array(1) }))
  })

  test('onPost receives the entry and the room', () => {
    expect<Parameters<NonNullable<FastifyChatOptions['onPost']>>>().type.toBe<[entry: ChatEntry, room: string]>()
    expect<ChatEntry['text']>().type.toBe<string | undefined>()
    expect<ChatEntry['bytes']>().type.toBe<Uint8Array | undefined>()
  })

  test('preChange receives a change and the entry, and returns a change; onChange returns nothing', () => {
    type PreChange = NonNullable<FastifyChatOptions['preChange']>
    expect<Parameters<PreChange>>().type.toBe<[change: ChatChange, entry: ChatEntry, member: ChatMember]>()
    expect<PreChange>().type.toBeAssignableFrom((change: ChatChange) => change.type === 'edit' ? { ...change, text: change.text.trim() } : change)
    expect<PreChange>().type.not.toBeAssignableFrom(() => ({ text: 'x' }))
    expect<Parameters<NonNullable<FastifyChatOptions['onChange']>>>().type.toBe<[change: ReportedChange, entry: ChatEntry, room: string]>()
    expect<Exclude<ReportedChange, ChatChange>>().type.toBe<{ readonly type: 'end', readonly unfinished?: true }>()
    expect<Parameters<PreChange>[0]['type']>().type.toBe<'edit' | 'delete' | 'react'>()
  })

  test('onJoin and onLeave receive the member and the room', () => {
    expect<Parameters<NonNullable<FastifyChatOptions['onJoin']>>>().type.toBe<[member: ChatMember, room: string]>()
    expect<Parameters<NonNullable<FastifyChatOptions['onLeave']>>>().type.toBe<[member: ChatMember, room: string]>()
  })
})

describe('app.chat', () => {
  test('methods resolve with their results', () => {
    expect(app.chat.publish('lobby', { text: 'hi', from: { id: 'u1', name: 'Ada' }, data: { mood: 'good' } })).type.toBe<Promise<Position>>()
    expect(app.chat.history('lobby', { limit: 10 })).type.toBe<Promise<ChatPage>>()
    expect(app.chat.createWriteStream('lobby', { from: { id: 'bot', name: 'Bot' }, data: 1 })).type.toBe<TextStream>()
    expect<TextStream>().type.toBeAssignableTo<Writable>()
    expect(app.chat.createWriteStream('lobby').position).type.toBe<Position | undefined>()
    expect(app.chat.edit('lobby', 'p', { text: 'hi', data: 1 })).type.toBe<Promise<void>>()
    expect(app.chat.delete('lobby', 'p')).type.toBe<Promise<void>>()
    expect(app.chat.react('lobby', 'p', '👍', { by: 'bot', on: false })).type.toBe<Promise<void>>()
    expect(app.chat.deleteMessages({ member: 'u1' })).type.toBe<Promise<number>>()
    expect(app.chat.members('lobby')).type.toBe<Promise<RoomMembers>>()
    expect<RoomMembers['members'][number]['data']>().type.toBe<unknown>()
    expect<ChatEntry['data']>().type.toBe<unknown>()
    expect(app.chat.sendToMember('u1', { invitation: 'team-7' })).type.toBe<Promise<boolean>>()
    expect(app.chat.rooms()).type.toBe<string[]>()
    expect(app.chat.stats()).type.toBe<Stats>()
    expect(app.chat.check()).type.toBe<Promise<void>>()
  })

  test('a listener receives entries', () => {
    expect(app.chat.subscribe('lobby', (entry) => { expect(entry).type.toBe<ChatEntry>() })).type.toBe<Promise<() => void>>()
  })

  test('wrong arguments are errors', () => {
    expect(app.chat.publish).type.not.toBeCallableWith('lobby', 'hi')
    expect(app.chat.publish).type.not.toBeCallableWith('lobby', {})
    expect(app.chat.createWriteStream).type.not.toBeCallableWith('lobby', { text: 'hi' })
    expect<WriteStreamOptions>().type.not.toBeAssignableFrom({ from: 'bot' })
    expect(app.chat.edit).type.not.toBeCallableWith('lobby', 'p', 'hi')
    expect(app.chat.react).type.not.toBeCallableWith('lobby', 'p', '👍')
    expect(app.chat.deleteMessages).type.not.toBeCallableWith('u1')
    expect(app.chat.ban).type.toBeCallableWith({ address: '192.0.2.1' }, { duration: 1 })
    expect(app.chat.ban).type.not.toBeCallableWith('u1')
    expect(app.chat.mute).type.not.toBeCallableWith('u1', { until: 1 })
  })
})

test('diagnostics events are typed', () => {
  expect<Posted['room']>().type.toBe<string>()
})

test('a test connects to an app of any logger, server and type provider', () => {
  type Provided = FastifyInstance<RawServerDefault, RawRequestDefaultExpression, RawReplyDefaultExpression, FastifyBaseLogger, { readonly schema: unknown, readonly validator: unknown, readonly serializer: unknown }>
  expect(connect).type.toBeCallableWith(Fastify({ loggerInstance: {} as AuditLogger }), '/chat')
  expect(connect).type.toBeCallableWith(Fastify({ http2: true, https: { allowHTTP1: true } }), '/chat')
  expect(connect).type.toBeCallableWith(Fastify({ https: {} }), '/chat')
  expect(connect).type.toBeCallableWith({} as Provided, '/chat')
  expect(connect).type.not.toBeCallableWith({}, '/chat')
  expect(app.register).type.toBeCallableWith(fastifyChat)
  expect(Fastify({ loggerInstance: {} as AuditLogger }).register).type.toBeCallableWith(fastifyChat)
  expect(({} as Provided).register).type.toBeCallableWith(fastifyChat)
})

test('a backend opens for an app of any logger, server and type provider', () => {
  expect(memory().open).type.toBeCallableWith(app)
  expect(memory().open).type.toBeCallableWith(Fastify({ loggerInstance: {} as AuditLogger }))
  expect(memory().open).type.toBeCallableWith(Fastify({ http2: true, https: { allowHTTP1: true } }))
})

test('a test connects without a port', () => {
  expect(connect(app, '/chat')).type.toBe<Promise<TestConnection>>()
  expect<Awaited<ReturnType<TestConnection['next']>>>().type.toBe<string | Buffer>()
})
