import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { WebSocketServer } from 'ws'
import type { FastifyChatOptions } from '../../src/index.ts'
import { build, listen } from '../support/app.ts'
import { chatClient, nextEvent } from '../support/chat-client.ts'
import { run } from '../support/command.ts'
import { fakeServer } from '../support/fake-server.ts'
import { proxy } from '../support/proxy.ts'

async function serve (t: Test, options: FastifyChatOptions = {}): Promise<{ port: number, url: string, app: Awaited<ReturnType<typeof build>> }> {
  const app = await build(t, options)
  const port = await listen(app)
  return { port, url: `ws://127.0.0.1:${port}/chat`, app }
}

t.test('the lines of a pipe are posted, and the connection is closed when all are acknowledged', async (t) => {
  const { url, app } = await serve(t, { limits: { messageRate: 1_000, messageBurst: 1_000 } })
  const lines = Array.from({ length: 250 }, (_, i) => `line ${i}`)
  const client = run(t, ['connect', url, '--v1', '--room', 'tea', '--name', 'ada'], { stdin: 'pipe' })
  client.child.stdin?.end(lines.join('\n'))
  const { code, stdout, stderr } = await client.ended
  t.equal(stderr, '')
  t.strictSame(stdout.trimEnd().split('\n'), ['Connected', ...lines.map((line) => `Received from ada: ${line}`), 'Disconnected (code 1000)'])
  t.equal(code, 0)
  t.equal((await app.chat.history('tea', { limit: 1_000 })).entries.length, lines.length)
})

t.test('--history prints the newest messages, --json as PROTOCOL.md defines them', async (t) => {
  const { url, app } = await serve(t)
  for (const text of ['one', 'two', 'three']) await app.chat.publish('lobby', { text, data: { text } })
  const { code, stdout, stderr } = await run(t, ['connect', url, '--v1', '--json', '--history', '2', '--send', 'four', '--count', '1']).ended
  t.match(stdout.trimEnd().split('\n').map((line): unknown => JSON.parse(line)), [
    { room: 'lobby', from: null, text: 'two', data: { text: 'two' }, position: String, at: String },
    { room: 'lobby', from: null, text: 'three' },
    { room: 'lobby', from: { id: String, name: '' }, text: 'four' }
  ])
  t.equal(stderr, 'Connected\nDisconnected (code 1000)\n')
  t.equal(code, 0)
  const text = await run(t, ['connect', `${url}?history=1&room=lobby`, '--v1']).ended
  t.match(text.stdout, /^Connected\nReceived from [\w-]{22}: four\nDisconnected/)
})

t.test('changes of printed messages are printed, with --json all of them', async (t) => {
  const { port, url } = await serve(t)
  const room = await chatClient(t, port, { name: 'ada' }).join('lobby')
  const [before, first] = [await room.post('before'), await room.post('helo')]
  const [text, json] = [[], ['--json']].map((more) => run(t, ['connect', url, '--v1', '--history', '1', ...more], { stdin: 'pipe' }))
  await Promise.all([text!.seen(/helo/), json!.seen(/helo/)])
  await room.edit(first, 'hello\u009b')
  await room.react(first, '👍')
  await room.unreact(first, '👍')
  await room.edit(before, 'not printed')
  await room.delete(first)
  await room.post('end')
  for (const { seen, child } of [text!, json!]) {
    await seen(/end/)
    child.stdin?.end()
  }
  t.strictSame((await text!.ended).stdout.trimEnd().split('\n'), [
    'Connected',
    'Received from ada: helo',
    'Changed from ada: hello\\x9b',
    "Reactions to 'hello\\x9b' from ada: 👍 1",
    "Reactions to 'hello\\x9b' from ada: none",
    'Deleted from ada: hello\\x9b',
    'Received from ada: end',
    'Disconnected (code 1000)'
  ])
  const lines = (await json!.ended).stdout.trimEnd().split('\n').map((line): unknown => JSON.parse(line))
  t.match(lines, [
    { text: 'helo' },
    { type: 'changed', position: first, text: 'hello\u009b' },
    { type: 'changed', position: first, reactions: [{ reaction: '👍', count: 1 }] },
    { type: 'changed', position: first, reactions: [{ reaction: '👍', count: 0 }] },
    { type: 'changed', position: before, text: 'not printed' },
    { type: 'changed', position: first, deleted: true },
    { text: 'end' }
  ])
})

t.test('a streamed message is printed once, when it has ended', async (t) => {
  const { port, url, app } = await serve(t)
  const begin = async (text: string) => {
    const stream = app.chat.createWriteStream('lobby')
    await new Promise((resolve) => stream.write(text, resolve))
    return stream
  }
  const begun = await begin('in the ')
  await app.chat.publish('lobby', { text: 'before' })
  const [text, json] = [[], ['--json']].map((more) => run(t, ['connect', url, '--v1', '--history', '2', ...more], { stdin: 'pipe' }))
  await Promise.all([text!.seen(/before/), json!.seen(/before/)])
  const room = await chatClient(t, port).join('lobby')
  await room.react(begun.position!, '👍')
  const [cut, removed] = [await begin('cut'), await begin('removed')]
  await app.chat.publish('lobby', { text: 'meanwhile' })
  begun.end('history')
  await Promise.all([text!, json!].map(({ seen }) => seen(/history/)))
  cut.destroy()
  await once(cut, 'close')
  removed.on('error', () => {})
  await app.chat.delete('lobby', removed.position!)
  // A message may overtake a change.
  await Promise.all([text!, json!].map(({ seen }) => seen(/cut/)))
  await app.chat.publish('lobby', { text: 'end' })
  for (const { seen, child } of [text!, json!]) {
    await seen(/end/)
    child.stdin?.end()
  }
  t.strictSame((await text!.ended).stdout.trimEnd().split('\n'), [
    'Connected', 'Received: before', 'Received: meanwhile', 'Received: in the history', 'Received: cut (unfinished)', 'Received: end', 'Disconnected (code 1000)'
  ])
  const lines = (await json!.ended).stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>)
  t.strictSame(lines.map(({ text, reactions, streaming, unfinished }) => ({ text, reactions, streaming, unfinished })), [
    { text: 'before' }, { text: 'meanwhile' }, { text: 'in the history', reactions: [{ reaction: '👍', count: 1 }] }, { text: 'cut', unfinished: true }, { text: 'end' }
  ].map((line) => ({ reactions: undefined, streaming: undefined, unfinished: undefined, ...line })))
})

t.test('--token is sent with hello, and a refusal is the exit code', async (t) => {
  const { url } = await serve(t, {
    authenticate: async (_request, { token }) => token === 'right' ? { id: 'u1', name: 'Ada' } : null
  })
  t.match(await run(t, ['connect', url, '--v1', '--token', 'right', '--send', 'hi', '--count', '1']).ended, {
    code: 0, stdout: 'Connected\nReceived from Ada: hi\nDisconnected (code 1000)\n', stderr: ''
  })
  t.match(await run(t, ['connect', url, '--v1', '--token', 'wrong', '--send', 'hi']).ended, {
    code: 41, stdout: '', stderr: /^Connection failed: code 4401.*\n$/
  })
})

t.test('a refused message and a refused join are reported, and the exit code is 1', async (t) => {
  const { url } = await serve(t, {
    authorize: async ({ room }) => room !== 'staff',
    prePost: async (draft) => {
      if (draft.text === 'no') throw new Error('not that')
      return draft
    }
  })
  const client = run(t, ['connect', url, '--v1'], { stdin: 'pipe' })
  client.child.stdin?.end('yes\nno\n')
  const { code, stdout, stderr } = await client.ended
  t.match(stdout, /^Connected\nReceived from \S+: yes\nDisconnected \(code 1000\)\n$/)
  t.match(stderr, /^Error: message refused: .*\(refused\)\n$/)
  t.equal(code, 1)
  t.match(await run(t, ['connect', url, '--v1', '--room', 'staff', '--send', 'hi']).ended, { code: 1, stderr: /^Error: .*staff.*\n$/ })
})

for (const [code, line] of [['removed', 'spam\\x1b[2J'], ['forbidden', 'spam\\x1b[2J (forbidden)']] as const) {
  t.test(`a member that is removed with ${code} gets the reason, and the exit code is 1`, async (t) => {
    const { port } = await fakeServer(t, ({ type, room, id }) => type === 'post'
      ? [{ type: 'ack', id, room, position: 'p1' }, { type: 'left', room, code, message: 'spam\u001b[2J' }]
      : undefined)
    const client = run(t, ['connect', `ws://127.0.0.1:${port}/chat`, '--v1'], { stdin: 'pipe' })
    client.child.stdin?.write('one\n')
    t.strictSame(await client.ended, {
      code: 1, stdout: 'Connected\nDisconnected (code 1000)\n', stderr: `Error: removed from the room: ${line}\n`
    }, 'the open pipe is not waited for')
  })
}

t.test('a lost connection is opened again, and no message is missing', async (t) => {
  const { port } = await serve(t)
  const network = await proxy(t, port)
  const client = run(t, ['connect', `ws://127.0.0.1:${network.port}/chat`, '--v1', '--name', 'ada'], { stdin: 'pipe' })
  const bob = await chatClient(t, port).join('lobby')
  client.child.stdin?.write('before\n')
  await client.seen(/Received from ada: before\n/)
  network.cut()
  await client.seen(/Connection lost \(code 1006.*\): reconnecting\n/)
  await bob.post('meanwhile')
  client.child.stdin?.end('after\n')
  await nextEvent(bob, 'message', ({ text }) => text === 'after')
  const { code, stdout } = await client.ended
  t.match(stdout, /Connected again\n[^]*: meanwhile\n[^]*Received from ada: after\nDisconnected \(code 1000\)\n$/)
  t.equal(code, 0)
})

t.test('Ctrl-C closes the connection with code 0, also during the connect', async (t) => {
  const { url } = await serve(t)
  const client = run(t, ['connect', url, '--v1'], { stdin: 'pipe' })
  await client.seen(/Connected\n/)
  client.child.kill('SIGINT')
  t.strictSame(await client.ended, { code: 0, stdout: 'Connected\nDisconnected (code 1000)\n', stderr: '' })

  const silent = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: (offered) => [...offered][0]! })
  t.teardown(() => {
    for (const socket of silent.clients) socket.terminate()
    silent.close()
  })
  await once(silent, 'listening')
  const waiting = run(t, ['connect', `ws://127.0.0.1:${(silent.address() as AddressInfo).port}`, '--v1'], { stdin: 'pipe' })
  await once(silent, 'connection')
  waiting.child.kill('SIGINT')
  t.strictSame(await waiting.ended, { code: 0, stdout: '', stderr: '' })
})

t.test('a member that is kicked ends the command', async (t) => {
  const { url, app } = await serve(t, { authenticate: async () => ({ id: 'u1', name: 'Ada' }) })
  const client = run(t, ['connect', url, '--v1', '--send', 'hi'])
  await client.seen(/Received/)
  await app.chat.kick('u1', { reason: 'too loud' })
  t.match(await client.ended, { code: 43, stdout: /Disconnected \(code 4403, too loud\)\n$/ })
})

t.test('a server without the subprotocol, or without a chat: one line, and code 1', async (t) => {
  const { url } = await serve(t)
  for (const [path, reason] of [
    ['/echo', 'Server sent no subprotocol'],
    ['/nothing', "404 Not Found: Route GET:/nothing not found: no WebSocket route at '/nothing'; fastify-chat serves the chat at '/chat' unless the app sets another path"]
  ] as const) {
    t.strictSame(await run(t, ['connect', url.replace('/chat', path), '--v1']).ended, { code: 1, stdout: '', stderr: `Connection failed: ${reason}\n` })
  }
})
