import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { publint } from 'publint'
import t from 'tap'
// Rejects a build that is older than the sources.
import '../support/compiled.ts'
import { checkout, fastifyPackages, npmInstall, packBuild, ran, run } from '../support/packed.ts'

const tsc = join(checkout, 'node_modules/typescript/bin/tsc')
// Compiling, and installing from a registry, may take minutes.
async function files (root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => relative(root, join(entry.parentPath, entry.name))).sort()
}

const { folder, tarball } = await packBuild(t)
const app = join(folder, 'app')
await mkdir(app)
await writeFile(join(app, 'package.json'), '{ "private": true }')
const [npm, ...install] = npmInstall
await ran(app, npm, [...install, tarball, ...fastifyPackages('5', process.versions.node)])
const installed = join(app, 'node_modules/fastify-chat')

t.test('the tarball holds the build, the page, the sources and the documents, and nothing more', async (t) => {
  const sources = await files(join(checkout, 'src'))
  // The command is bundled.
  const built = sources.filter((name) => !name.startsWith('cli/')).map((name) => name.replace(/\.ts$/, '')).flatMap((name) =>
    ['.d.ts', '.d.ts.map', '.js', '.js.map'].map((extension) => name + extension))
  const command = await files(join(checkout, 'dist/cli'))
  t.strictSame(await files(installed), [
    ...['CHANGELOG.md', 'LICENSE', 'README.md', 'client/package.json', 'package.json', 'react/package.json'],
    ...built.map((name) => `dist/${name}`),
    ...command.map((name) => `dist/cli/${name}`),
    'dist/page/client.js',
    ...(await files(join(checkout, 'public'))).map((name) => `public/${name}`),
    // The source maps refer to them, for debuggers and "go to definition".
    ...sources.map((name) => `src/${name}`)
  ].sort())
})

t.test('npm pack builds what it packs', async (t) => {
  const { scripts } = JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
  t.equal(scripts['prepack'], 'npm run build')
})

t.test('publint reports nothing', async (t) => {
  const { messages } = await publint({ pkgDir: installed, pack: false, strict: true })
  t.strictSame(messages, [])
})

t.test('an app can import the installed package, chat and serve the page', async (t) => {
  await writeFile(join(app, 'app.mjs'), `
    import Fastify from 'fastify'
    import fastifyChat, { fastifyChat as named, memory, errors } from 'fastify-chat'
    import { rosterContract, storeContract } from 'fastify-chat/contract'
    import { connect } from 'fastify-chat/test'

    const app = Fastify()
    await app.register(fastifyChat, { backend: memory({ historyEntries: 10 }) })
    const ada = await connect(app, '/chat?name=ada')
    ada.send('hello')
    const heard = [await ada.next(), await ada.next()]
    const pages = await Promise.all(['', 'style.css', 'main.js', 'config.json'].map((file) => app.inject('/demo/' + file)))
    const wrong = await Fastify().register(fastifyChat, { page: 1 }).then(() => undefined, (error) => error)
    console.log(JSON.stringify({
      same: named === fastifyChat,
      heard,
      position: typeof await app.chat.publish('lobby', { text: 'x' }),
      pages: pages.map(({ statusCode }) => statusCode),
      refused: wrong instanceof errors.InvalidOption,
      contracts: [typeof rosterContract, typeof storeContract]
    }))
    await app.close()
  `)
  const { code, stdout, stderr } = await run(app, process.execPath, ['app.mjs'])
  t.equal(stderr, '')
  t.equal(code, 0)
  t.strictSame(JSON.parse(stdout), {
    same: true,
    heard: ['connected to WebSocket server', 'ada: hello'],
    position: 'string',
    pages: [200, 200, 200, 200],
    refused: true,
    contracts: ['function', 'function']
  })
})

t.test('register rejects with the name of an optional package that is not installed', async (t) => {
  await writeFile(join(app, 'optional.mjs'), `
    import Fastify from 'fastify'
    import fastifyChat from 'fastify-chat'
    import { lmdb } from 'fastify-chat/lmdb'
    import { redis } from 'fastify-chat/redis'

    const registry = { registerMetric () {}, getSingleMetric () {}, removeSingleMetric () {} }
    const outcomes = []
    for (const options of [{ backend: lmdb({ path: 'data' }) }, { backend: redis() }, { metrics: registry }]) {
      outcomes.push(await Fastify().register(fastifyChat, options).then(() => undefined, ({ code, message }) => ({ code, message })))
    }
    console.log(JSON.stringify(outcomes))
  `)
  const missing = (feature: string, name: string) => ({
    code: 'FST_CHAT_PACKAGE_MISSING', message: `fastify-chat: ${feature} requires a package that is not installed: run npm install ${name}`
  })
  t.strictSame(JSON.parse(await ran(app, process.execPath, ['optional.mjs'])), [
    missing('the LMDB backend', 'lmdb'), missing('the Redis backend', 'ioredis'), missing("the option 'metrics'", 'prom-client')
  ])
  t.notOk((await readdir(app)).includes('data'), 'no directory is created')
})

t.test('require() returns the plugin, with the named exports as properties', async (t) => {
  await writeFile(join(app, 'app.cjs'), `
    const fastifyChat = require('fastify-chat')
    const { connect } = require('fastify-chat/test')
    const app = require('fastify')()
    app.register(fastifyChat, { page: false })
    connect(app, '/echo').then(async (client) => {
      client.send('hello')
      const imported = await import('fastify-chat')
      console.log(JSON.stringify({
        type: typeof fastifyChat,
        echo: await client.next(),
        lacks: Object.keys(imported).filter((name) => name !== 'module.exports' && fastifyChat[name] === undefined),
        same: imported.default === fastifyChat && fastifyChat.default === fastifyChat && fastifyChat.fastifyChat === fastifyChat
      }))
      await app.close()
    })
  `)
  const { code, stdout, stderr } = await run(app, process.execPath, ['app.cjs'])
  t.equal(stderr, '')
  t.equal(code, 0)
  t.strictSame(JSON.parse(stdout), { type: 'function', echo: 'hello', lacks: [], same: true })
})

t.test('the installed command prints its version and help', async (t) => {
  const { version } = JSON.parse(await ran(app, process.execPath, ['-p', 'JSON.stringify(require("fastify-chat/package.json"))'])) as { version: string }
  t.equal(await ran(app, 'npx', ['--no-install', 'fastify-chat', '--version']), `${version}\n`)
  t.match(await ran(app, 'npx', ['--no-install', 'fastify-chat', '--help']), /serve[^]*connect/)
})

t.test('the types compile for strict consumers', async (t) => {
  const types = join(app, 'types')
  await mkdir(types)
  await writeFile(join(types, 'consumer.ts'), `
    import Fastify, { type FastifyInstance } from 'fastify'
    import fastifyChat, { fastifyChat as named, memory, errors } from 'fastify-chat'
    import type { Backend, Chat, FastifyChatOptions, Limits, Reply } from 'fastify-chat'
    import { storeContract, type StoreContractOptions } from 'fastify-chat/contract'
    import { connect, type TestConnection } from 'fastify-chat/test'
    import { test } from 'node:test'

    const given: { page?: string | undefined } = {}
    const reply: Reply = async (message, isBinary) => isBinary ? message : message.toString().toUpperCase()
    const limits: Partial<Limits> = { chatPayload: 1024 }
    const backend: Backend = memory({ historyEntries: 10 })
    export const options: FastifyChatOptions = { page: given.page, echo: { reply }, chat: { greeting: false }, limits, backend }

    const checked: StoreContractOptions = { open: async (_name, { historyEntries }) => (await memory({ historyEntries }).open(Fastify())).store, capabilities: {} }
    await storeContract(test, checked)

    export const app: FastifyInstance = Fastify()
    await app.register(fastifyChat, options)
    await app.register(named, { prefix: '/two', logLevel: 'warn', ...options })
    const chat: Chat = app.chat
    const position: string = await chat.publish('lobby', { text: 'hello', from: { id: '1', name: 'ada' } })
    app.get('/own', { websocket: true }, (socket) => { socket.send(position) })
    await app.injectWS('/own', { headers: {} })
    const ada: TestConnection = await connect(app, '/chat', { headers: { cookie: 'x' }, protocol: undefined })
    const message: string | Buffer = await ada.next()
    export const wrong = (error: unknown): boolean => error instanceof errors.InvalidOption && message === ''

    // @ts-expect-error a wrong type
    await app.register(fastifyChat, { page: 1 })
    // @ts-expect-error no such option
    await app.register(fastifyChat, { pages: '/' })
    // @ts-expect-error no such option of echo
    export const typo: FastifyChatOptions = { echo: { answer: reply } }
    // @ts-expect-error text is missing
    await app.chat.publish('lobby', {})
  `)
  await writeFile(join(types, 'consumer.cts'), `
    import Fastify = require('fastify')
    import fastifyChat = require('fastify-chat')

    const app = Fastify.fastify()
    app.register(fastifyChat, { page: false, backend: fastifyChat.memory() })
    app.ready().then(() => app.chat.publish('lobby', { text: 'hello' }))
    // @ts-expect-error a wrong type
    app.register(fastifyChat, { page: 1 })
  `)
  const options = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    target: 'es2022',
    types: ['node'],
    // test/types/ checks the declarations, with those of the dependencies.
    skipLibCheck: true
  }
  for (const [name, more, included] of [
    ['nodenext', { module: 'nodenext', moduleDetection: 'force' }, ['consumer.ts', 'consumer.cts']],
    ['bundler', { module: 'esnext', moduleResolution: 'bundler' }, ['consumer.ts']]
  ] as const) {
    await writeFile(join(types, 'package.json'), '{ "type": "module" }')
    await writeFile(join(types, `${name}.json`), JSON.stringify({ compilerOptions: { ...options, ...more }, files: included }))
    const { code, stdout } = await run(types, process.execPath, [tsc, '-p', `${name}.json`])
    t.equal(stdout, '', name)
    t.equal(code, 0, name)
  }
})

// Last, because it links optional packages, which no earlier test may need.
t.test('the command names the missing package of a driver, and with it the driver loads', async (t) => {
  await mkdir(join(app, 'copy'))
  await writeFile(join(app, 'copy/data.mdb'), '')
  const lacks = (feature: string, needed: string) => `fastify-chat: ${feature} requires a package that is not installed: run npm install ${needed}\n`
  for (const [args, message] of [
    [['serve', '--port', '0', '--data', 'data'], lacks('the LMDB backend', 'lmdb')],
    [['serve', '--port', '0', '--redis', 'redis://127.0.0.1'], lacks('the Redis backend', 'ioredis')],
    [['verify', 'copy'], `FST_CHAT_PACKAGE_MISSING: ${lacks("'verify'", 'lmdb')}`]
  ] as const) {
    t.strictSame(await run(app, 'node_modules/.bin/fastify-chat', args), { code: 1, stdout: '', stderr: message })
  }
  for (const needed of ['lmdb', 'ioredis']) {
    await symlink(join(checkout, 'node_modules', needed), join(app, 'node_modules', needed))
  }
  await writeFile(join(app, 'drivers.mjs'), `
    import Fastify from 'fastify'
    import fastifyChat from 'fastify-chat'
    import { lmdb } from 'fastify-chat/lmdb'
    import { redis } from 'fastify-chat/redis'
    const app = Fastify()
    await app.register(fastifyChat, { backend: lmdb({ path: 'data' }) })
    await app.chat.publish('tea', { text: 'hello' })
    console.log((await app.chat.history('tea')).entries.length, typeof redis)
    await app.close()
  `)
  t.equal(await ran(app, process.execPath, ['drivers.mjs']), '1 function\n')
})
