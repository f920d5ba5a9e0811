import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { command as runConformance } from '../../conformance/command.ts'
import { requirements, run, type Result } from '../../conformance/suite.ts'
import { MemoryRoster } from '../../src/drivers/memory/roster.ts'
import { build, listen } from '../support/app.ts'
import { backendOf } from '../support/backend.ts'
import { run as runCommand } from '../support/command.ts'

/** Starts the plugin with a short grace and handshake timeout, and a rate limit that allows the suite. */
async function serve (t: Test): Promise<string> {
  const app = await build(t, { backend: backendOf({ roster: new MemoryRoster({ grace: 100 }) }), limits: { handshakeTimeout: 3_000, messageRate: 50 } })
  return `ws://127.0.0.1:${await listen(app)}/chat`
}

/** Starts a proxy that changes what a server sends. */
async function broken (t: Test, url: string, change: (frame: string) => string[]): Promise<string> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.teardown(() => {
    for (const client of server.clients) client.terminate()
    server.close()
  })
  server.on('connection', (client, request) => {
    const upstream = new WebSocket(new URL(request.url ?? '', url), client.protocol === '' ? [] : [client.protocol])
    const opened = new Promise<void>((resolve) => upstream.once('open', resolve))
    client.on('message', (data, isBinary) => opened.then(() => upstream.send(data, { binary: isBinary })))
    upstream.on('message', (data, isBinary) => {
      for (const frame of isBinary ? [data] : change(String(data))) client.send(frame, { binary: isBinary })
    })
    upstream.on('error', () => client.terminate())
    upstream.on('close', () => client.terminate())
    client.on('close', () => upstream.terminate())
  })
  await once(server, 'listening')
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/chat`
}

/** Runs the command in this process. */
async function command (...args: string[]): Promise<{ code: number, stdout: string, stderr: string }> {
  let [stdout, stderr] = ['', '']
  const code = await runConformance(args, {
    stdout: { write (text) { stdout += text } },
    stderr: { write (text) { stderr += text } }
  })
  return { code, stdout, stderr }
}

async function spawned (file: string, args: string[]): Promise<{ code: number, stdout: string, stderr: string }> {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const [[code], stdout, stderr] = await Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)])
  return { code, stdout, stderr }
}

const failures = (results: readonly Result[]) => results.filter(({ reason }) => reason !== undefined)

t.test('the plugin meets every requirement', async (t) => {
  const results = await run(await serve(t))
  t.same(failures(results), [])
  t.equal(results.length, requirements.length)
  t.notOk(results.some(({ skipped }) => skipped))
})

t.test("a server that doesn't announce changes isn't checked for them", async (t) => {
  const url = await broken(t, await serve(t), (frame) => [frame.replace(/,"features":\[.*?\]/, '')])
  const results = await run(url, { only: '20' })
  t.ok(results.length > 10)
  t.ok(results.every(({ skipped, reason }) => skipped && reason === undefined))
  const { code, stdout } = await command('--only', '20.8', url)
  t.match(stdout, /^skip {4}20\.8 {2}\w.*\n\n0 passed, 0 failed, 1 skipped\n$/)
  t.equal(code, 0)
})

t.test("the README's command passes on the bundled server, with the defaults of both", async (t) => {
  const readme = readFileSync(new URL('../../conformance/README.md', import.meta.url), 'utf8')
  const [, line = ''] = /^ {4}(npm run conformance -- \S+)$/m.exec(readme) ?? []
  const [, port = ''] = await runCommand(t, ['serve', '--port', '0']).seen(/Server listening at http:\/\/127\.0\.0\.1:(\d+)/)
  const [npm = '', ...args] = line.replace(':3000/', `:${port}/`).split(' ')
  const { code, stdout } = await spawned(npm, args)
  t.equal(stdout.match(/^ok /gm)?.length, requirements.length)
  t.notMatch(stdout, /^not ok/m)
  t.equal(code, 0)
})

t.test('every requirement names a section of the protocol', async (t) => {
  const protocol = readFileSync(new URL('../../docs/PROTOCOL.md', import.meta.url), 'utf8')
  const sections = new Set([...protocol.matchAll(/^#+ ([\d.]*\d)\.? /gm)].map(([, section]) => section))
  for (const { section, title } of requirements) t.ok(sections.has(section), `${section} ${title}`)
})

t.test('a server with one fault fails', async (t) => {
  const url = await serve(t)
  const faults: ReadonlyArray<[what: string, only: string, change: (frame: string) => string[]]> = [
    ['sends every message twice', '7', (frame) => frame.includes('"type":"message"') ? [frame, frame] : [frame]],
    ['loses every other message', '15', odd((frame) => frame.includes('"type":"message"'))],
    ['acknowledges before the message', '7.2', early()],
    ['claims that nothing was missed', '6.2', (frame) => [frame.replace('"complete":false', '"complete":true')]],
    ['omits the failed request', '13', (frame) => [frame.replace(/,"request":"\w+"/, '')]],
    ['omits a property', '5.2', (frame) => [frame.replace(/,"heartbeat":\d+/, '')]],
    ['loses every other change', '20.2', odd((frame) => frame.includes('"type":"changed"'))],
    ["sends everybody's own reactions", '20.3', (frame) => [frame.replace('"count":1}', '"count":1,"mine":true}')]],
    ['omits the changes of a resume', '20.5', (frame) => [frame.replace(/"changes":\[.+\]/, '"changes":[]')]],
    ['sends invalid JSON', '12', (frame) => [`${frame};`]]
  ]
  for (const [what, only, change] of faults) {
    t.ok(failures(await run(await broken(t, url, change), { only, timeout: 500 })).length > 0, what)
  }
  t.same(failures(await run(await broken(t, url, (frame) => [frame]), { only: '7' })), [], 'a proxy that changes nothing passes')
})

/** Drops every other frame of a kind. */
function odd (kind: (frame: string) => boolean): (frame: string) => string[] {
  let lose = false
  return (frame) => {
    if (kind(frame)) lose = !lose
    return kind(frame) && lose ? [] : [frame]
  }
}

/** Delays each message until its ack has been sent. */
function early (): (frame: string) => string[] {
  let held: string[] = []
  return (frame) => {
    if (frame.includes('"type":"message"')) {
      held.push(frame)
      return []
    }
    const frames = [frame, ...held]
    held = []
    return frames
  }
}

t.test('the command prints a line for each requirement, and a summary', async (t) => {
  const { code, stdout, stderr } = await command('--only', '7', await serve(t))
  const lines = stdout.trimEnd().split('\n')
  t.match(lines[0], /^ok {6}7\.1 {3}\w/)
  t.match(lines.at(-1), /^\d+ passed, 0 failed$/)
  t.equal(stderr, '')
  t.equal(code, 0)
})

t.test('the command exits with 1 when a requirement fails, and names it', async (t) => {
  const url = await broken(t, await serve(t), (frame) => frame.includes('"type":"message"') ? [frame, frame] : [frame])
  const { code, stdout } = await spawned('npm', ['run', 'conformance', '--', '--only', '7.2', url])
  t.match(stdout, /^not ok {2}7\.2 .*\n {14}expected 'ack', received /m)
  t.match(stdout, /\n0 passed, 1 failed\n$/)
  t.equal(code, 1)
})

t.test('the command reports wrong usage', async (t) => {
  const help = await command('--help')
  t.match(help.stdout, /^Usage: npm run conformance/)
  t.equal(help.code, 0)

  const wrong: ReadonlyArray<[args: string[], message: RegExp]> = [
    [[], /exactly one URL is required/],
    [['http://127.0.0.1/chat'], /the URL must start with ws:\/\/ or wss:\/\/, not 'http:/],
    [['--only', '99', 'ws://127.0.0.1/chat'], /no requirement belongs to section 99/],
    [['--timeout', 'soon', 'ws://127.0.0.1/chat'], /--timeout must be a positive integer, not 'soon'/],
    [['--loud', 'ws://127.0.0.1/chat'], /^conformance: Unknown option '--loud'\nTry: .*\n$/],
    [['--timeout', '--only', '7'], /^conformance: Option '--timeout' argument is ambiguous\. .*\nTry: .*\n$/],
    [['ws://127.0.0.1:1/chat'], /can't connect to ws:\/\/127\.0\.0\.1:1\/chat: .*ECONNREFUSED/],
    [[(await serve(t)).replace('/chat', '/nothing')], /refused with 404: check the path of the URL/]
  ]
  await Promise.all(wrong.map(async ([args, message]) => {
    const { code, stdout, stderr } = await command(...args)
    t.match(stderr, message)
    t.equal(stdout, '')
    t.equal(code, 2)
  }))
})
