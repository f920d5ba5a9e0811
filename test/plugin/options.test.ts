import t from 'tap'
import fastifyChat, { type FastifyChatOptions } from '../../src/index.ts'
import { memory } from '../../src/drivers/memory/backend.ts'
import { bare, build } from '../support/app.ts'

const wrong: Array<[name: string, options: object]> = [
  ['unknown', { unknown: true }],
  ['Page', { Page: '/demo/' }],
  ['constructor', { constructor: 1 }],
  ['__proto__', JSON.parse('{"__proto__":{}}') as object],
  ['prefix', { prefix: 5 }],
  ['logLevel', { logLevel: 30 }],
  ['logSerializers', { logSerializers: () => ({}) }],
  ['page', { page: true }],
  ['page', { page: null }],
  ['page', { page: '' }],
  ['page', { page: 'demo' }],
  ['page', { page: '//demo' }],
  ['page', { page: '/demo//' }],
  ['page', { page: '/:page' }],
  ['page', { page: '/*' }],
  ['page', { page: '/demo?' }],
  ['echo', { echo: true }],
  ['echo', { echo: null }],
  ['echo', { echo: '/echo' }],
  ['echo', { echo: [] }],
  ['echo.path', { echo: { path: 'echo' } }],
  ['echo.path', { echo: { path: '/echo/:id' } }],
  ['echo.path', { echo: { path: false } }],
  ['echo.greeting', { echo: { greeting: false } }],
  ['echo.greeting', { echo: { greeting: 1 } }],
  ['echo.reply', { echo: { reply: 'pong' } }],
  ['echo.unknown', { echo: { unknown: 1 } }],
  ['chat', { chat: true }],
  ['chat', { chat: null }],
  ['chat.path', { chat: { path: '' } }],
  ['chat.path', { chat: { path: '/chat?room=a' } }],
  ['chat.greeting', { chat: { greeting: true } }],
  ['chat.includeSender', { chat: { includeSender: 'false' } }],
  ['chat.includeSender', { chat: { includeSender: 0 } }],
  ['chat.defaultRoom', { chat: { defaultRoom: '' } }],
  ['chat.defaultRoom', { chat: { defaultRoom: 'two words' } }],
  ['chat.defaultRoom', { chat: { defaultRoom: 'a'.repeat(65) } }],
  ['chat.defaultRoom', { chat: { defaultRoom: 'lobby\n' } }],
  ['chat.rooms', { chat: { rooms: ['lobby'] } }],
  ['routeOptions', { routeOptions: null }],
  ['routeOptions', { routeOptions: () => {} }],
  ['routeOptions.method', { routeOptions: { method: 'POST' } }],
  ['routeOptions.handler', { routeOptions: { handler: () => {} } }],
  ['routeOptions.url', { routeOptions: { url: '/' } }],
  ['routeOptions.onRequest', { routeOptions: { onRequest: 'authenticate' } }],
  ['routeOptions.preValidation', { routeOptions: { preValidation: [() => {}, undefined] } }],
  ['routeOptions.preHandler', { routeOptions: { preHandler: {} } }],
  ['routeOptions.config', { routeOptions: { config: 'rateLimit' } }],
  ['routeOptions.constraints', { routeOptions: { constraints: 'example.com' } }],
  ['routeOptions.schema', { routeOptions: { schema: [] } }],
  ['backend', { backend: null }],
  ['backend', { backend: {} }],
  ['backend', { backend: 'memory' }],
  ['backend', { backend: memory }],
  ['store', { store: {} }],
  ['roster', { roster: {} }],
  ...[true, 'bearer', [''], ['a b'], ['a,b'], ['é'], [5], ['a', 'a'], ['fastify-chat.v1']].map((subprotocols): [string, object] => ['subprotocols', { subprotocols }]),
  ['origins', { origins: false }],
  ['origins', { origins: null }],
  ['origins', { origins: 'https://example.com' }],
  ['origins', { origins: ['*'] }],
  ['origins', { origins: ['null'] }],
  ['origins', { origins: ['example.com'] }],
  ['origins', { origins: ['localhost:3000'] }],
  ['origins', { origins: ['example.com:443'] }],
  ['origins', { origins: ['https:example.com'] }],
  ['origins', { origins: ['https://example.com/'] }],
  ['origins', { origins: ['https://example.com/page'] }],
  ['origins', { origins: ['https://Example.com'] }],
  ['origins', { origins: ['https://example.com:443'] }],
  ['origins', { origins: ['https://*.example.com'] }],
  ['origins', { origins: ['chrome-extension://abc/page.html'] }],
  ['origins', { origins: ['https://example.com', 5] }],
  ['origins', { origins: [/example/] }],
  ['heartbeatInterval', { heartbeatInterval: 0 }],
  ['heartbeatInterval', { heartbeatInterval: -1 }],
  ['heartbeatInterval', { heartbeatInterval: 0.5 }],
  ['heartbeatInterval', { heartbeatInterval: NaN }],
  ['heartbeatInterval', { heartbeatInterval: '25s' }],
  ['heartbeatInterval', { heartbeatInterval: Infinity }],
  ['heartbeatInterval', { heartbeatInterval: 2 ** 31 }],
  ['drainTimeout', { drainTimeout: 0 }],
  ['drainTimeout', { drainTimeout: '5000' }],
  ['drainTimeout', { drainTimeout: 10_000 }],
  ['limits', { limits: 5 }],
  ['limits', { limits: [] }],
  ['limits', { limits: false }],
  ['limits.unknown', { limits: { unknown: 1 } }],
  ['limits.chatPayload', { limits: { chatPayload: 0 } }],
  ['limits.chatPayload', { limits: { chatPayload: '16 KiB' } }],
  ['limits.chatPayload', { limits: { chatPayload: 2 ** 31 } }],
  ['limits.echoPayload', { limits: { echoPayload: -1 } }],
  ['limits.echoPayload', { limits: { echoPayload: 1.5 } }],
  ['limits.messageRate', { limits: { messageRate: 0.5 } }],
  ['limits.messageBurst', { limits: { messageBurst: 0 } }],
  ['limits.byteRate', { limits: { byteRate: 0 } }],
  ['limits.byteBurst', { limits: { byteBurst: '256 KiB' } }],
  ['limits.roomsPerAddress', { limits: { roomsPerAddress: -1 } }],
  ['limits.jsonDepth', { limits: { jsonDepth: Infinity } }],
  ['limits.jsonDepth', { limits: { jsonDepth: 257 } }],
  ['limits.pendingBytes', { limits: { pendingBytes: NaN } }],
  ['limits.pendingBytes', { limits: { pendingBytes: 10n } }],
  ['limits.historyEntries', { limits: { historyEntries: 1_000 } }],
  ['limits.handshakeTimeout', { limits: { handshakeTimeout: Infinity } }],
  ['limits.handshakeTimeout', { limits: { handshakeTimeout: 0 } }]
]

t.test('a wrong option is rejected at register, by name', async (t) => {
  for (const [name, options] of wrong) {
    const error: Error = await build(t, options).then(() => new Error('it was taken'), (error: Error) => error)
    t.match(error, { code: 'FST_CHAT_INVALID_OPTION' }, show(options))
    t.ok(error.message.startsWith(`fastify-chat: option '${name}' `), `${show(options)}: ${error.message}`)
  }
})

t.test('the error for an unknown option lists the valid ones', async (t) => {
  await t.rejects(build(t, { chat: { recent: 50 } } as object), {
    message: "fastify-chat: option 'chat.recent' does not exist: use path, greeting, includeSender, defaultRoom, history"
  })
})

const MiB = 2 ** 20

t.test('contradicting limits are rejected, and the error names both with their values', async (t) => {
  const contradictions: Array<[low: string, high: string, limits: Record<string, number>, values: [low: number, high: number]]> = [
    ['pendingBytes', 'chatPayload', { chatPayload: 16 * MiB }, [MiB, 16 * MiB]],
    ['pendingBytes', 'chatPayload', { chatPayload: Infinity }, [MiB, Infinity]],
    ['pendingBytes', 'chatPayload', { pendingBytes: 64 * 1024 }, [64 * 1024, 16 * 1024]],
    ['totalPendingBytes', 'chatPayload', { totalPendingBytes: 100, pendingBytes: Infinity }, [100, 16 * 1024]],
    ['totalPendingBytes', 'pendingBytes', { pendingBytes: 512 * MiB, totalPendingBytes: 256 * MiB }, [256 * MiB, 512 * MiB]],
    ['totalPendingBytes', 'echoPayload', { echoPayload: 512 * MiB, totalPendingBytes: 256 * MiB, receiveBudget: Infinity }, [256 * MiB, 512 * MiB]],
    ['receiveBudget', 'chatPayload', { receiveBudget: 16_384 }, [16_384, 16_384]],
    ['receiveBudget', 'echoPayload', { receiveBudget: 65_536 }, [65_536, 65_536]],
    ['byteBurst', 'chatPayload', { byteBurst: 16_383 }, [16_383, 16_384]],
    ['byteBurst', 'chatPayload', { chatPayload: 100 * 1024, byteBurst: 64 * 1024 }, [64 * 1024, 100 * 1024]],
    ['roomsPerMember', 'rooms', { rooms: 10, roomsPerMember: 11 }, [11, 10]],
    ['roomsPerMember', 'rooms', { roomsPerMember: 20_000 }, [20_000, 10_000]],
    ['roomsPerAddress', 'rooms', { roomsPerAddress: 10_001 }, [10_001, 10_000]],
    ['connectionsPerAddress', 'connections', { connections: 10, connectionsPerAddress: 11 }, [11, 10]]
  ]
  for (const [low, high, limits, values] of contradictions) {
    const error: Error = await build(t, { limits }).then(() => new Error('it was taken'), (error: Error) => error)
    t.match(error, { code: 'FST_CHAT_INVALID_OPTION' }, show(limits))
    t.match(error.message, `option 'limits.${low}' is ${values[0]}`, show(limits))
    t.match(error.message, `limits.${high} is ${values[1]}`, show(limits))
  }
})

t.test('the error for pendingBytes below chatPayload states the bytes that a message needs', async (t) => {
  await t.rejects(build(t, { limits: { chatPayload: 16 * MiB } }), {
    message: "fastify-chat: option 'limits.pendingBytes' is 1048576, too low: limits.chatPayload is 16777216, " +
      'so the frame of one message can take 100665344 bytes. Raise limits.pendingBytes or lower limits.chatPayload'
  })
})

t.test('a chatPayload that the backend cannot keep is rejected, and the error names both', async (t) => {
  const options = [
    [{ backend: memory({ historyBytes: 16 * 1024 }) }, 'is 16384, but the backend keeps messages of up to 7168 bytes'],
    [{ backend: memory({ historyBytes: Infinity, storeBytes: 1_024 }) }, 'is 16384, but the backend keeps messages of up to 0 bytes'],
    [{ backend: memory(), limits: { chatPayload: 8 * MiB, byteBurst: 8 * MiB, pendingBytes: 64 * MiB } }, 'is 8388608, but']
  ] as const
  for (const [each, message] of options) {
    await t.rejects(build(t, each), { code: 'FST_CHAT_INVALID_OPTION', message: new RegExp(`'limits.chatPayload' ${message}.*historyBytes and storeBytes`) })
  }
})

t.test('limits that only seem to contradict each other are accepted', async (t) => {
  for (const options of [
    { limits: { pendingBytes: Infinity, rooms: Infinity, connectionsPerAddress: Infinity } },
    { limits: { byteRate: Infinity, byteBurst: Infinity } },
    { limits: { connections: 10, roomsPerMember: Infinity } },
    { limits: { rooms: 10 } },
    { backend: memory({ historyBytes: 1 }), chat: false },
    { backend: memory({ historyBytes: Infinity, storeBytes: 64 * 1024 }) },
    { limits: { pendingBytes: 1 }, chat: false },
    { limits: { receiveBudget: 65_536 }, echo: false }
  ] as const) await t.resolves(build(t, options), show(options))
})

t.test('an option without effect is rejected, and the error states why', async (t) => {
  const off = { chat: false } as const
  const fn = () => {}
  const ineffective: Array<[name: string, options: object, why: string]> = [
    ['limits.messageBurst', { limits: { messageRate: Infinity, messageBurst: 5 } }, 'limits.messageRate is Infinity'],
    ['limits.byteBurst', { limits: { byteRate: Infinity, byteBurst: 5 } }, 'limits.byteRate is Infinity'],
    ['limits.handshakeBurst', { limits: { handshakeRate: Infinity, handshakeBurst: 5 } }, 'limits.handshakeRate is Infinity'],
    ['limits.echoPayload', { echo: false, limits: { echoPayload: 5 } }, 'echo is false'],
    ...['authenticate', 'authorize', 'prePost', 'onJoin', 'onLeave'].map((hook): [string, object, string] => [hook, { ...off, [hook]: fn }, 'chat is false']),
    ['dataSchema', { ...off, dataSchema: {} }, 'chat is false'],
    ['compression', { ...off, compression: true }, 'chat is false'],
    ['flushInterval', { ...off, flushInterval: 5 }, 'chat is false'],
    ['limits.jsonDepth', { ...off, limits: { jsonDepth: 5 } }, 'chat is false'],
    ['limits.roomsPerMember', { ...off, limits: { roomsPerMember: 5 } }, 'chat is false'],
    ['origins', { ...off, echo: false, origins: true }, 'chat and echo are false'],
    ['subprotocols', { ...off, echo: false, subprotocols: ['bearer'] }, 'chat and echo are false'],
    ...['totalPendingBytes', 'receiveBudget', 'connections', 'handshakeRate', 'handshakeBurst', 'handshakeTimeout']
      .map((limit): [string, object, string] => [`limits.${limit}`, { ...off, echo: false, limits: { [limit]: 1e6 } }, 'chat and echo are false']),
    ['limits.connectionsPerAddress', { ...off, echo: false, limits: { connectionsPerAddress: 5 } }, 'chat and echo are false']
  ]
  for (const [name, options, why] of ineffective) {
    await t.rejects(build(t, options), { code: 'FST_CHAT_INVALID_OPTION', message: `fastify-chat: option '${name}' has no effect: ${why}. Remove it` })
  }
  await t.resolves(build(t, { ...off, onPost: fn, compression: false, flushInterval: 0, limits: { messageRate: Infinity, messageBurst: Infinity } }))
  await t.resolves(build(t, { ...off, origins: true, limits: { connections: 5, totalPendingBytes: 1e6 } }), 'the echo route has them')
  await t.resolves(build(t, { ...off, echo: false, limits: { connections: Infinity, pendingBytes: 1e6 } }), 'app.chat.publish has pendingBytes')
})

t.test('a drainTimeout that is not below pluginTimeout is rejected', async (t) => {
  const cases: Array<[pluginTimeout: number, drainTimeout: number, fits: boolean]> = [
    [6_000, 6_000, false], [6_000, 5_999, true], [20_000, 15_000, true], [0, 60_000, true]
  ]
  for (const [pluginTimeout, drainTimeout, fits] of cases) {
    const register = async () => { await bare(t, { pluginTimeout }).register(fastifyChat, { drainTimeout }) }
    if (fits) await t.resolves(register, `drainTimeout ${drainTimeout}, pluginTimeout ${pluginTimeout}`)
    else await t.rejects(register, { code: 'FST_CHAT_INVALID_OPTION', message: /drainTimeout.*6000 ms/ }, `drainTimeout ${drainTimeout}, pluginTimeout ${pluginTimeout}`)
  }
})

t.test('every option may be undefined', async (t) => {
  const given: { [K in keyof Required<FastifyChatOptions>]: undefined } = {
    page: undefined,
    echo: undefined,
    chat: undefined,
    routeOptions: undefined,
    backend: undefined,
    authenticate: undefined,
    authorize: undefined,
    prePost: undefined,
    preChange: undefined,
    onPost: undefined,
    onChange: undefined,
    onJoin: undefined,
    onLeave: undefined,
    dataSchema: undefined,
    compression: undefined,
    flushInterval: undefined,
    origins: undefined,
    subprotocols: undefined,
    heartbeatInterval: undefined,
    drainTimeout: undefined,
    metrics: undefined,
    limits: undefined
  }
  const app = await build(t, given)
  t.equal((await app.inject('/demo/')).statusCode, 200)
})

t.test('every property of an option may be undefined', async (t) => {
  const app = await build(t, {
    echo: { path: undefined, greeting: undefined, reply: undefined },
    chat: { path: undefined, greeting: undefined, includeSender: undefined, defaultRoom: undefined },
    routeOptions: {
      onRequest: undefined,
      preValidation: undefined,
      preHandler: undefined,
      config: undefined,
      constraints: undefined,
      schema: undefined
    } as object,
    limits: { pendingBytes: undefined, chatPayload: undefined } as object
  })
  t.equal((await app.inject('/echo')).statusCode, 426)
  t.equal((await app.inject('/chat')).statusCode, 426)
})

t.test('the largest valid values are accepted', async (t) => {
  const most = {
    chatPayload: Infinity,
    echoPayload: 2 ** 31 - 1,
    messageRate: Infinity,
    messageBurst: Infinity,
    byteRate: Infinity,
    byteBurst: Infinity,
    jsonDepth: 256,
    pendingBytes: Infinity,
    totalPendingBytes: Infinity,
    receiveBudget: Infinity,
    rooms: Infinity,
    roomsPerMember: Infinity,
    roomsPerAddress: Infinity,
    handshakeTimeout: 2 ** 31 - 1
  }
  const backend = memory({ historyEntries: Infinity, historyBytes: Infinity, historyAge: Infinity, storeBytes: Infinity, roomTtl: Infinity })
  await t.resolves(build(t, { backend, limits: most, heartbeatInterval: 2 ** 31 - 1 }))
  await t.resolves(build(t, { origins: ['https://example.com', 'http://localhost:3000', 'http://[::1]:3000', 'chrome-extension://abc'] }))
  await t.resolves(build(t, { origins: [] }))
  await t.resolves(build(t, { origins: true }))
})

function show (value: object): string {
  return JSON.stringify(value, (_key, value: unknown) =>
    typeof value === 'number' || typeof value === 'bigint' || typeof value === 'function' ? String(value) : value)
}
