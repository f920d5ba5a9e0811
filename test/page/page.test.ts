import { readFileSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import fastifyChat, { type FastifyChatOptions } from '../../src/index.ts'
import { bare, build, listen, logged } from '../support/app.ts'
import { firstModules } from '../support/module-graph.ts'
import { raw } from '../support/raw-client.ts'

const folder = fileURLToPath(new URL('../../public/', import.meta.url))
const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  .map(({ parentPath, name }) => relative(folder, join(parentPath, name)))
const index = readFileSync(new URL('../../public/index.html', import.meta.url), 'utf8')

/** Creates the static files of an app: a home page, also used as its single-page fallback. */
function ownFiles (t: Test): string {
  const root = t.testdir({ 'index.html': 'own home', 'style.css': 'own style', 'app.js': 'own script' })
  return root
}

async function get (app: FastifyInstance, url: string): Promise<[status: number, body: string]> {
  const { statusCode, body } = await app.inject(url)
  return [statusCode, body]
}

t.test('the page and each of its files are served under /demo/', async (t) => {
  const app = await build(t)
  t.strictSame(await get(app, '/demo/'), [200, index])
  for (const file of files) {
    const body = readFileSync(new URL(`../../public/${file}`, import.meta.url), 'utf8')
    t.strictSame(await get(app, `/demo/${file}`), [200, body], file)
  }
})

t.test('each file has a type that browsers accept under nosniff', async (t) => {
  const app = await build(t)
  for (const [file, type] of [['', /^text\/html/], ['style.css', /^text\/css/], ['main.js', /^(text|application)\/javascript/], ['config.json', /^application\/json/]] as const) {
    const { headers } = await app.inject(`/demo/${file}`)
    t.match(headers['content-type'], type, file)
  }
})

t.test('every file of the page has its security headers', async (t) => {
  const app = await build(t)
  for (const file of ['', 'config.json', ...files]) {
    for (const method of ['GET', 'HEAD'] as const) {
      const { statusCode, headers } = await app.inject({ method, url: `/demo/${file}`, headers: { host: 'example.com:3000' } })
      t.equal(statusCode, 200)
      t.match(headers, {
        'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
          "connect-src 'self' ws://example.com:3000 wss://example.com:3000; base-uri 'none'; form-action 'self'; " +
          "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'same-origin'
      }, `${method} ${file}`)
    }
  }
})

t.test('redirects and 304 answers have the security headers too', async (t) => {
  const app = await build(t)
  const { headers: { etag } } = await app.inject('/demo/')
  for (const [status, request] of [
    [302, { url: '/demo' }],
    [304, { url: '/demo/', headers: { 'if-none-match': String(etag) } }]
  ] as const) {
    const { statusCode, headers } = await app.inject(request)
    t.equal(statusCode, status)
    t.match(headers, { 'content-security-policy': /default-src 'none'/, 'x-content-type-options': 'nosniff' })
  }
})

t.test('the files support ranges and preconditions, and other files are answered with 404', async (t) => {
  const app = await build(t)
  for (const [status, url, headers] of [
    [206, '/demo/main.js', { range: 'bytes=0-9' }],
    [416, '/demo/main.js', { range: 'bytes=9999999-' }],
    [412, '/demo/main.js', { 'if-match': '"other"' }],
    [404, '/demo/lib/plugin.js', {}],
    [404, '/demo/lib/client/../plugin.js', {}],
    [404, '/demo/lib/client%2F..%2Fplugin.js', {}]
  ] as const) {
    const response = await app.inject({ url, headers })
    t.equal(response.statusCode, status, url)
    if (status === 206) t.equal(response.body.length, 10)
    if (status === 416) t.match(response.headers['content-range'], /^bytes \*\/\d+$/)
    t.match(response.headers, { 'content-security-policy': /default-src 'none'/ })
  }
})

t.test("a Host header can't extend the policy", async (t) => {
  const app = await build(t)
  for (const host of ['a; script-src *', "a 'unsafe-inline'", 'a,b', '*', 'a/b']) {
    const { headers } = await app.inject({ url: '/demo/', headers: { host } })
    t.match(headers['content-security-policy'], /connect-src 'self'; base-uri/, host)
  }
  const { headers } = await app.inject({ url: '/demo/', headers: { host: '[::1]:3000' } })
  t.match(headers['content-security-policy'], "connect-src 'self' ws://[::1]:3000 wss://[::1]:3000;")
})

t.test('the page obeys its policy: no inline script or style, no foreign resource', async (t) => {
  t.notMatch(index, /<script(?![^>]*\bsrc=)/i)
  t.notMatch(index, /<style|\sstyle=|\son\w+=/i)
  for (const [tag, url] of index.matchAll(/<\w+[^>]*\b(?:src|href)="([^"]*)"[^>]*>/g)) {
    if (tag!.startsWith('<a ')) t.match(tag, /^<a href="https:[^"]*" target="_blank" rel="noopener noreferrer">$/)
    else t.ok(/^(?:data:image|lib)\//.test(url!) || files.includes(url!), `${url} is a file of the page, with a relative URL`)
  }
})

t.test('the page has a description and a colour for the browser in both themes', async (t) => {
  t.match(index, /<meta name="description" content="[^"]{20,}">/)
  for (const scheme of ['light', 'dark']) t.match(index, new RegExp(`<meta name="theme-color" content="#\\w{6}" media="\\(prefers-color-scheme: ${scheme}\\)">`))
})

t.test('the page preloads the modules that it needs first, and no others', async (t) => {
  const listed = Array.from(index.matchAll(/<link rel="modulepreload" href="([^"]*)">/g), ([, path]) => path)
  t.strictSame(listed, firstModules(), 'after a change: node --import tsx test/support/preload.ts')
  const app = await build(t)
  for (const path of listed) t.equal((await app.inject(`/demo/${path!}`)).statusCode, 200, path!)
})

t.test('chat.js, the lesson, is short, and has the client, a join, a listener and a post', async (t) => {
  const lesson = readFileSync(join(folder, 'chat.js'), 'utf8')
  const lines = lesson.trimEnd().split('\n')
  t.ok(lines.length <= 50, `${lines.length} lines`)
  t.ok(Math.max(...lines.map(({ length }) => length)) <= 100, 'of at most 100 characters')
  for (const part of ['new ChatClient(', 'client.join(', 'timeline.subscribe(', 'room.post(']) t.ok(lesson.includes(part), part)
})

t.test('only the bundle of the client is served of the compiled files', async (t) => {
  const app = await build(t)
  const { statusCode, headers } = await app.inject('/demo/lib/client.js')
  t.equal(statusCode, 200, 'built by npm run build')
  t.match(headers, { 'content-type': /javascript/, 'x-content-type-options': 'nosniff' })
  for (const file of ['', 'client/', 'client/index.js', 'index.js', '..%2Fplugin.js', '..%2F..%2Fpackage.json']) {
    t.equal((await app.inject(`/demo/lib/${file}`)).statusCode, 404, file)
  }
})

t.test('only the files of the page are served from its folders; others have the 404 of the app', async (t) => {
  const app = bare(t)
  app.setNotFoundHandler(async (_request, reply) => await reply.code(404).send('not here'))
  await app.register(fastifyChat)
  for (const url of ['/demo/room/row.js', '/demo/proof/proof.css']) t.equal((await app.inject({ method: 'HEAD', url })).statusCode, 200, url)
  for (const path of ['room', 'room/', 'room/nothing.js', 'room/..%2findex.html', 'room/..%2F..%2Fpackage.json', 'proof//row.js', 'nothing.js']) {
    const { statusCode, body } = await app.inject(`/demo/${path}`)
    t.strictSame([statusCode, body], [404, 'not here'], path)
  }
})

t.test('a route on the path of a compiled file or of a folder is a coded error', async (t) => {
  for (const path of ['/demo/lib/client.js', '/demo/lib/*', '/demo/room/*']) {
    const app = bare(t)
    app.get(path, async () => '')
    await t.rejects(async () => app.register(fastifyChat), { code: 'FST_CHAT_PATH_TAKEN', message: path })
  }
})

t.test("the page's headers don't apply to other routes", async (t) => {
  const app = await build(t)
  app.get('/', async () => 'home')
  for (const url of ['/', '/chat', '/nowhere']) {
    t.equal((await app.inject(url)).headers['content-security-policy'], undefined, url)
  }
})

const configs: Array<[what: string, options: FastifyChatOptions & { prefix?: string }, page: string, config: object]> = [
  ['the defaults', {}, '/demo/', { chat: '../chat', echo: '../echo', room: 'lobby', payload: 16_384 }],
  ['at the root', { page: '/' }, '/', { chat: 'chat', echo: 'echo', room: 'lobby' }],
  ['under a prefix', { prefix: '/live' }, '/live/demo/', { chat: '../chat', echo: '../echo', room: 'lobby' }],
  ['at the root of a prefix', { prefix: '/live', page: '/' }, '/live/', { chat: 'chat', echo: 'echo', room: 'lobby' }],
  ['a path without its slash', { page: '/try' }, '/try/', { chat: '../chat', echo: '../echo', room: 'lobby' }],
  ['a deeper path', { page: '/a/b/' }, '/a/b/', { chat: '../../chat', echo: '../../echo', room: 'lobby' }],
  ['other paths', { chat: { path: '/ws/rooms', defaultRoom: 'hall' }, echo: { path: '/demo/echo' } }, '/demo/', { chat: '../ws/rooms', echo: 'echo', room: 'hall' }],
  ['no chat', { chat: false }, '/demo/', { chat: null, echo: '../echo' }],
  ['no echo', { echo: false }, '/demo/', { chat: '../chat', echo: null, room: 'lobby' }],
  ['neither', { chat: false, echo: false }, '/demo/', { chat: null, echo: null }]
]

for (const [what, options, page, config] of configs) {
  t.test(`config.json has the routes relative to the page: ${what}`, async (t) => {
    const app = await build(t, options)
    t.strictSame(await get(app, page), [200, index])
    const response = await app.inject(`${page}config.json`)
    t.match(response.json(), config)
    t.equal(response.headers['cache-control'], 'no-cache')

    for (const name of ['chat', 'echo'] as const) {
      const relative = response.json<Record<string, string | null>>()[name]
      if (relative === null) continue
      const { statusCode } = await app.inject(new URL(relative!, `http://localhost${page}`).pathname)
      t.equal(statusCode, 426, `${name} is served`)
    }
  })
}

t.test('without the final slash the page redirects to it and keeps the query', async (t) => {
  const cases: Array<[options: FastifyChatOptions & { prefix?: string }, from: string, to: string]> = [
    [{}, '/demo', '/demo/'],
    [{}, '/demo?room=hall', '/demo/?room=hall'],
    [{}, '/demo?room=hall?a?', '/demo/?room=hall?a?'],
    [{ page: '/a/b' }, '/a/b', '/a/b/'],
    [{ prefix: '/live' }, '/live/demo', '/live/demo/'],
    [{ prefix: '/live/' }, '/live/demo', '/live/demo/'],
    [{ prefix: '/live', page: '/' }, '/live', '/live/'],
    [{ prefix: '/:tenant', page: '/' }, '/a:b', '/a:b/']
  ]
  for (const [options, from, to] of cases) {
    const app = await build(t, options)
    for (const removed of ['', '/app']) {
      const { statusCode, headers } = await app.inject(from)
      t.equal(statusCode, 302, `${from}: browsers don't keep it`)
      const target = new URL(String(headers.location), `http://localhost${removed}${from}`)
      t.equal(target.href, `http://localhost${removed}${to}`, `${from}, behind a proxy that removed '${removed}'`)
    }
  }
})

t.test('the page redirects to its slash with other router options, and with a rewritten URL', async (t) => {
  const rewriteUrl = ({ url = '' }: { url?: string | undefined }) => url.replace(/^\/app\b/, '')
  for (const [options, from, to] of [
    [{ routerOptions: { ignoreTrailingSlash: true } }, '/demo?a', '/demo/?a'],
    [{ routerOptions: { ignoreDuplicateSlashes: true } }, '//demo', '//demo/'],
    [{ routerOptions: { caseSensitive: false } }, '/DEMO', '/DEMO/'],
    [{ rewriteUrl }, '/app/demo?a', '/app/demo/?a']
  ] as const) {
    const app = bare(t, options)
    await app.register(fastifyChat)
    const { statusCode, headers: { location } } = await app.inject(from)
    t.equal(statusCode, 302, from)
    const target = new URL(String(location), new URL(`http://localhost${from}`))
    t.equal(target.href, `http://localhost${to}`, from)
    t.strictSame(await get(app, target.pathname + target.search), [200, index], `${target.pathname} is the page`)
  }
})

t.test('the redirect leads to no other host', async (t) => {
  const port = await listen(await build(t, { prefix: '/:tenant', page: '/' } as FastifyChatOptions))
  for (const path of ['/\\\\evil.example', '/\\evil.example', '/https:evil.example']) {
    const client = await raw(t, port)
    client.socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
    const [, location = ''] = /^location: (.*)\r$/m.exec((await client.until((received) => received.includes('\r\n\r\n'))).toString()) ?? []
    t.equal(new URL(location, `http://localhost${path}`).host, 'localhost', location)
    t.not(location, '')
  }
})

t.test('page: false disables the page', async (t) => {
  const app = await build(t, { page: false })
  for (const url of ['/demo', '/demo/', '/demo/index.html', '/demo/config.json', '/']) t.equal((await app.inject(url)).statusCode, 404, url)
  t.equal((await app.inject('/chat')).statusCode, 426)
  await listen(app)
  t.notOk(app.lines.some(({ msg }) => msg.includes('chat page')))
})

t.test("one info line logs the page's address and the option that disables it", async (t) => {
  const cases: Array<[options: FastifyChatOptions & { prefix?: string }, path: string]> = [
    [{}, '/demo/'], [{ prefix: '/live' }, '/live/demo/'], [{ page: '/' }, '/'], [{ page: '/a' }, '/a/']
  ]
  for (const [options, path] of cases) {
    const app = await build(t, options)
    const port = await listen(app)
    t.match(await logged(app, `the chat page is at http://127.0.0.1:${port}${path}`), { level: 30 })
    t.equal(app.lines.filter(({ msg }) => msg.includes('chat page')).length, 1)
  }
})

t.test('the logged address is localhost when listening on all addresses', async (t) => {
  for (const host of ['0.0.0.0', '::']) {
    const app = await build(t)
    await app.listen({ port: 0, host })
    const line = app.lines.find(({ msg }) => msg.includes('chat page'))
    t.match(line?.msg, /^the chat page is at http:\/\/localhost:\d+\/demo\/$/, host)
  }
})

t.test('the page works with other router options', async (t) => {
  for (const rule of ['ignoreTrailingSlash', 'ignoreDuplicateSlashes', 'useSemicolonDelimiter', 'caseSensitive']) {
    for (const page of ['/demo/', '/']) {
      const app = bare(t, { routerOptions: { [rule]: rule !== 'caseSensitive' } })
      await t.resolves(async () => { await app.register(fastifyChat, { page }) }, `${rule}, ${page}`)
      t.strictSame(await get(app, page), [200, index])
      t.equal((await app.inject('/chat')).statusCode, 426)
    }
  }
})

t.test("the page coexists with the app's routes and static files", async (t) => {
  type Set = (app: FastifyInstance) => Promise<void>
  const chat: Set = async (app) => { await app.register(fastifyChat) }
  const home: Set = async (app) => { app.get('/', async () => 'own home') }
  const fallback: Set = async (app) => {
    app.setNotFoundHandler((_request, reply) => reply.sendFile('index.html'))
  }
  const ownStatic = (options: object): Set => async (app) => { await app.register(fastifyStatic, { root: ownFiles(t), ...options }) }

  const apps: Array<[what: string, steps: Set[]]> = [
    ['a home of its own, before', [home, chat]],
    ['a home of its own, after', [chat, home]],
    ['static files of its own, before', [ownStatic({}), chat]],
    ['static files of its own, after', [chat, ownStatic({})]],
    ['static files without a wildcard, before', [ownStatic({ wildcard: false }), chat]],
    ['static files without a wildcard, after', [chat, ownStatic({ wildcard: false })]],
    ['a single-page app, before', [ownStatic({}), fallback, chat]],
    ['a single-page app, after', [chat, ownStatic({}), fallback]],
    ['a single-page app without a wildcard', [ownStatic({ wildcard: false }), fallback, chat]]
  ]
  for (const [what, steps] of apps) {
    await t.test(what, async (t) => {
      const app = bare(t)
      for (const step of steps) await step(app)
      t.strictSame(await get(app, '/'), [200, 'own home'])
      t.strictSame(await get(app, '/demo/'), [200, index])
      t.match(await get(app, '/demo/style.css'), [200, /color-scheme|--/])
      t.match(await get(app, '/demo/config.json'), [200, /"lobby"/])
      t.equal((await app.inject('/demo')).headers.location, './demo/')
      t.equal((await app.inject('/chat')).statusCode, 426)
      if (!steps.includes(home)) t.strictSame(await get(app, '/style.css'), [200, 'own style'])

      const elsewhere = steps.includes(fallback) ? [200, 'own home'] : [404]
      for (const url of ['/some/route', '/demo/nowhere']) t.match(await get(app, url), elsewhere, url)
    })
  }
})

t.test("an app's static files in a folder of the same name are FST_CHAT_PATH_TAKEN", async (t) => {
  const root = t.testdir({ demo: { 'index.html': 'own demo' } })
  const app = bare(t)
  await app.register(fastifyStatic, { root, wildcard: false })
  await t.rejects(async () => { await app.register(fastifyChat) }, { code: 'FST_CHAT_PATH_TAKEN', message: /'\/demo\/'.*'page'/ })
})

t.test('no other file is served', async (t) => {
  const app = await build(t)
  for (const url of ['/demo/../package.json', '/demo/..%2fpackage.json', '/demo/%2e%2e/package.json', '/demo//index.html', '/demo/nowhere.js']) {
    t.equal((await app.inject(url)).statusCode, 404, url)
  }
})

t.test('hooks of the app apply to the page too', async (t) => {
  const app = bare(t)
  app.addHook('onRequest', async (request, reply) => request.headers.authorization === undefined ? reply.code(401).send('who?') : undefined)
  await app.register(fastifyChat)
  t.strictSame(await get(app, '/demo/'), [401, 'who?'])
  t.equal((await app.inject({ url: '/demo/', headers: { authorization: 'me' } })).statusCode, 200)
})

t.test('sibling plugins each have a page that finds its own routes', async (t) => {
  const app = bare(t)
  for (const prefix of ['/red', '/blue']) {
    await app.register(async (scope) => { await scope.register(fastifyChat, { chat: { defaultRoom: prefix.slice(1) } }) }, { prefix })
  }
  for (const room of ['red', 'blue']) t.match((await app.inject(`/${room}/demo/config.json`)).json(), { chat: '../chat', room })
})
