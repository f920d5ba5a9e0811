import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import websocket from '@fastify/websocket'
import t from 'tap'
import type { Test } from 'tap'
import { WebSocketServer } from 'ws'
import type { WebSocket } from 'ws'
import { bare, listen } from '../support/app.ts'
import { each, noTerminal, run, runOnTerminal } from '../support/command.ts'
import { directory } from '../support/directory.ts'

async function address (t: Test, server: Server): Promise<string> {
  if (!server.listening) await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  return `127.0.0.1:${port}`
}

/** Starts a WebSocket server that handles each connection with this function. Resolves with its URL. */
async function peer (t: Test, treat: (socket: WebSocket, url: string) => void): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket, { url = '' }) => treat(socket, url))
  t.teardown(() => { for (const socket of sockets.clients) socket.terminate() })
  return `ws://${await address(t, server)}`
}

const answering = (socket: WebSocket) => {
  socket.on('message', (data) => socket.send(`World! (${data})`))
}

t.test('connect', async (t) => {
  t.test('--send keeps the connection open and prints messages until Ctrl-C', async (t) => {
    let closed: Promise<unknown[]> | undefined
    const url = await peer(t, (socket) => {
      closed = once(socket, 'close')
      answering(socket)
    })
    const client = run(t, ['connect', url, '--send', 'Msg from client'])
    await client.seen(/Received: World! \(Msg from client\)\n/)
    client.child.kill('SIGINT')
    t.strictSame(await client.ended, {
      code: 0,
      stdout: 'Connected\nReceived: World! (Msg from client)\nDisconnected (code 1000)\n',
      stderr: ''
    })
    t.match(await closed, [1000])
  })

  t.test('--every sends repeatedly, and --count closes after the last message', async (t) => {
    const client = run(t, ['connect', await peer(t, answering), '--send', 'Hello', '--every', '10ms', '--count', '3'])
    t.strictSame(await client.ended, {
      code: 0,
      stdout: 'Connected\n' + 'Received: World! (Hello)\n'.repeat(3) + 'Disconnected (code 1000)\n',
      stderr: ''
    })
  })

  t.test('--every repeats until it is stopped', async (t) => {
    const client = run(t, ['connect', await peer(t, answering), '--send', 'Hello', '--every', '0.01'])
    await client.seen(/(Received: .*\n){3}/)
    client.child.kill('SIGTERM')
    t.match(await client.ended, { code: 0, stdout: /Disconnected \(code 1000\)\n$/ })
  })

  t.test('an answer that arrives after its message was printed is still printed', async (t) => {
    const url = await peer(t, (socket) => {
      socket.on('ping', () => setImmediate(() => socket.send('late')))
    })
    const { code, stdout } = await run(t, ['connect', url, '--send', 'Hello', '--count', '2']).ended
    t.equal(stdout, 'Connected\nReceived: late\nDisconnected (code 1000)\n')
    t.equal(code, 0)
  })

  t.test('--room and --name become query parameters, and http becomes ws', async (t) => {
    const url = await peer(t, (socket, url) => socket.close(1000, url))
    const { stdout } = await run(t, [
      'connect', `${url.replace('ws:', 'http:')}/chat?self=0&room=a#top`, '--room', 'b', '--name', 'Ada & Bob'
    ]).ended
    t.match(stdout, 'Disconnected (code 1000, /chat?self=0&room=b&name=Ada+%26+Bob)')
  })

  t.test('each line of a pipe is sent, and its end closes the connection', async (t) => {
    const client = run(t, ['connect', await peer(t, answering)], { stdin: 'pipe' })
    client.child.stdin?.end('one\n\nthree\r\nfour')
    t.strictSame(await client.ended, {
      code: 0,
      stdout: 'Connected\n' + ['one', '', 'three', 'four'].map((text) => `Received: World! (${text})\n`).join('') +
        'Disconnected (code 1000)\n',
      stderr: ''
    })
  })

  t.test('an empty stdin closes the connection once it is open', async (t) => {
    const { code, stdout } = await run(t, ['connect', await peer(t, answering)]).ended
    t.equal(stdout, 'Connected\nDisconnected (code 1000)\n')
    t.equal(code, 0)
  })

  t.test('a close by the server ends the command even if the pipe is open', async (t) => {
    const url = await peer(t, (socket) => socket.on('message', () => socket.close(1001, 'going away')))
    const client = run(t, ['connect', url], { stdin: 'pipe' })
    client.child.stdin?.write('bye\n')
    t.match(await client.ended, { code: 0, stdout: 'Connected\nDisconnected (code 1001, going away)\n' })
  })

  t.test("received text is escaped, so it can't control the terminal, and stays on one line", async (t) => {
    const url = await peer(t, (socket) => {
      socket.send('\u001b[2J\r\n\t\u009b31m\u007f\u202e\u2028Grüße 👋')
      socket.send(Buffer.from('\u001b[2J'))
      socket.close(1000, '\u001b]0;title\u0007')
    })
    const { stdout } = await run(t, ['connect', url, '--send', 'Hello']).ended
    t.equal(stdout, 'Connected\n' +
      'Received: \\x1b[2J\\r\\n\\t\\x9b31m\\x7f\\u202e\\u2028Grüße 👋\n' +
      'Received: 4 bytes of binary\n' +
      'Disconnected (code 1000, \\x1b]0;title\\x07)\n')
  })

  t.test('the exit code is 0 for a clean close, and derived from the close code for any other', async (t) => {
    await each<[(socket: WebSocket) => void, string, number]>([
      [(socket) => socket.close(), 'Disconnected (code 1005, no close code)', 0],
      [(socket) => socket.close(1000), 'Disconnected (code 1000)', 0],
      [(socket) => socket.terminate(), 'Disconnected (code 1006, no close frame)', 16],
      [(socket) => socket.close(1011, 'broken'), 'Disconnected (code 1011, broken)', 21],
      [(socket) => socket.close(4403, 'not in this room'), 'Disconnected (code 4403, not in this room)', 43],
      [(socket) => socket.close(4460), 'Disconnected (code 4460)', 1],
      [(socket) => socket.close(3000), 'Disconnected (code 3000)', 1]
    ], async ([end, expected, exit]) => {
      const url = await peer(t, (socket) => {
        socket.send('hi')
        end(socket)
      })
      const { code, stdout } = await run(t, ['connect', url, '--send', 'Hello']).ended
      t.match(stdout, `${expected}\n`)
      t.equal(code, exit, expected)
    })
  })

  t.test('a protocol error of the server is reported', async (t) => {
    // Byte 0xff: an invalid opcode with all reserved bits set.
    const url = await peer(t, (socket) => (socket as unknown as { _socket: NodeJS.WritableStream })._socket.write('\xff\xff', 'latin1'))
    const { code, stdout, stderr } = await run(t, ['connect', url, '--send', 'Hello']).ended
    t.match(stdout, /^Connected\nDisconnected \(code 1006/)
    t.match(stderr, /^Error: Invalid WebSocket frame/)
    t.equal(code, 16)
  })

  t.test('a closed stdout ends the command with code 0', async (t) => {
    const client = run(t, ['connect', await peer(t, answering), '--send', 'Hello', '--every', '10ms'])
    await client.seen(/Received/)
    client.child.stdout?.destroy()
    t.match(await client.ended, { code: 0, stderr: '' })
  })

  t.test('a failed connection prints one line on stderr and exits with code 1', async (t) => {
    const closed = createTcpServer().listen(0, '127.0.0.1')
    const nobody = await address(t, closed)
    await new Promise((resolve) => closed.close(resolve))

    const refusals: Record<string, [status: string, body: string, header?: string]> = {
      '/json': ['403 Forbidden', JSON.stringify({ statusCode: 403, message: 'not\u001b[2J from there' })],
      '/long': ['403 Forbidden', JSON.stringify({ message: 'x'.repeat(300) })],
      '/': ['200 OK', '<h1>home</h1>'],
      '/html': ['404 Not Found', '<h1>no</h1>'],
      '/null': ['500 ', 'null'],
      '/moved': ['301 Moved Permanently', '', 'Location: /chat/']
    }
    const server = createServer().listen(0, '127.0.0.1')
    server.on('upgrade', ({ url = '' }, socket) => {
      const [status, body, header = 'X-None: '] = refusals[url] ?? ['500 ', '']
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n${header}\r\n\r\n${body}`)
    })
    const refusing = await address(t, server)

    await each<[string, string | RegExp]>([
      [nobody, `connect ECONNREFUSED ${nobody}`],
      [nobody.replace('127.0.0.1', 'localhost'), /connect ECONNREFUSED .*/],
      [`${refusing}/json`, '403 Forbidden: not\\x1b[2J from there'],
      [`${refusing}/long`, `403 Forbidden: ${'x'.repeat(200)}…`],
      [`${refusing}/html`, "404 Not Found: no WebSocket route at '/html'; fastify-chat serves the chat at '/chat' unless the app sets another path"],
      [refusing, "200 OK: no WebSocket route at '/'; fastify-chat serves the chat at '/chat' unless the app sets another path"],
      [`${refusing}/null`, '500 Internal Server Error'],
      [`${refusing}/moved`, '301 Moved Permanently: moved to /chat/']
    ], async ([url, expected]) => {
      const { code, stdout, stderr } = await run(t, ['connect', `ws://${url}`]).ended
      const [, reason] = /^Connection failed: (.*)\n$/.exec(stderr) ?? []
      t.match(reason, expected, url)
      if (typeof expected === 'string') t.equal(reason, expected)
      t.equal(stdout, '')
      t.equal(code, 1)
    })
  })

  t.test('a route of an app with @fastify/websocket that takes no WebSocket is named, with code 1', async (t) => {
    const app = bare(t)
    await app.register(websocket)
    app.get('/', async () => 'home')
    const { code, stdout, stderr } = await run(t, ['connect', `ws://127.0.0.1:${await listen(app)}`], { stdin: 'pipe' }).ended
    t.equal(stdout, 'Connected\nDisconnected (code 1005, no close code)\n')
    t.equal(stderr, "Error: closed without a message: no WebSocket route at '/'; fastify-chat serves the chat at '/chat' unless the app sets another path\n")
    t.equal(code, 1)
  })

  t.test('--header, --origin, --auth and --subprotocol are sent with the handshake', async (t) => {
    const server = createServer().listen(0, '127.0.0.1')
    const sockets = new WebSocketServer({ server, handleProtocols: (offered) => [...offered].at(-1)! })
    sockets.on('connection', (socket, { headers }) => {
      const { cookie, origin, authorization, 'x-many': many } = headers
      socket.send(JSON.stringify({ cookie, origin, authorization, many, protocols: headers['sec-websocket-protocol'] }))
      socket.close(1000, socket.protocol)
    })
    const { code, stdout } = await run(t, [
      'connect', `ws://${await address(t, server)}`, '--json', '-s', 'one', '--subprotocol', 'two', '-o', 'https://example.com',
      '-H', 'Cookie: a=1', '--header', 'cookie:b=2', '-H', 'X-Many: x:y', '-H', 'X-Many: z', '--auth', 'ada:p@ss:word'
    ]).ended
    t.strictSame(JSON.parse((JSON.parse(stdout) as { text: string }).text), {
      cookie: 'a=1; b=2',
      origin: 'https://example.com',
      authorization: `Basic ${Buffer.from('ada:p@ss:word').toString('base64')}`,
      many: 'x:y, z',
      protocols: 'one,two'
    })
    t.equal(code, 0)
  })

  t.test('--no-check accepts a self-signed certificate', async (t) => {
    const folder = directory(t)
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
      '-subj', '/CN=localhost', '-keyout', key, '-out', cert], { stdio: 'ignore' })
    const server = createSecureServer({ key: readFileSync(key), cert: readFileSync(cert) }).listen(0, '127.0.0.1')
    new WebSocketServer({ server }).on('connection', answering)
    const url = `wss://${await address(t, server)}`
    await each<[string[], object]>([
      [[], { code: 1, stdout: '', stderr: /^Connection failed: self-signed certificate/ }],
      [['-n'], { code: 0, stdout: /^Connected\nReceived: World! \(hi\)\n/ }],
      [['--no-check', '--v1'], { code: 16, stderr: /^Connection failed: code 1006, .* is not valid JSON/ }]
    ], async ([options, expected]) => {
      t.match(await run(t, ['connect', url, '--send', 'hi', '--count', '1', ...options]).ended, expected)
    })
  })

  t.test('--json prints each message as one line of JSON to stdout, and the status to stderr', async (t) => {
    const url = await peer(t, (socket) => {
      socket.send('\u001b[2J\u009b31m\u2028\u202e "Grüße"\n👋')
      socket.send(Buffer.from([0, 255]))
      socket.close(4403, 'go')
    })
    const { code, stdout, stderr } = await run(t, ['connect', url, '--json'], { stdin: 'pipe' }).ended
    for (const control of ['\u001b', '\u009b', '\u2028', '\u202e']) t.notOk(stdout.includes(control))
    t.strictSame(stdout.trimEnd().split('\n').map((line): unknown => JSON.parse(line)), [
      { text: '\u001b[2J\u009b31m\u2028\u202e "Grüße"\n👋' }, { bytes: 'AP8=' }
    ])
    t.equal(stderr, 'Connected\nDisconnected (code 4403, go)\n')
    t.equal(code, 43)
  })

  t.test('Ctrl-C during the connect is not a failure', async (t) => {
    const server = createServer().listen(0, '127.0.0.1')
    const knocked = once(server, 'upgrade')
    const client = run(t, ['connect', `ws://${await address(t, server)}`])
    const [, socket] = await knocked
    t.teardown(() => socket.destroy())
    client.child.kill('SIGINT')
    t.strictSame(await client.ended, { code: 0, stdout: '', stderr: '' })
  })
})

t.test('connect on a terminal', { skip: noTerminal() }, async (t) => {
  const onTerminal = async (t: Test) => {
    const url = await peer(t, answering)
    const client = runOnTerminal(t, `connect ${url}`)
    await client.seen(/Connected\r\n[^]*> /)
    return client
  }

  t.test('each non-empty line is sent, and events are printed above the line being typed', async (t) => {
    const client = await onTerminal(t)
    client.child.stdin?.write('\rHello\rhalf a li')
    await client.seen(/Received: World! \(Hello\)\r\n[^]*> half a li/)
    client.child.stdin?.write('ne\r')
    await client.seen(/Received: World! \(half a line\)\r\n/)
    client.child.stdin?.write('\u0003')
    const { code, stdout } = await client.ended
    t.match(stdout, /Disconnected \(code 1000\)\r\n$/)
    t.equal(stdout.match(/Received/g)?.length, 2)
    t.equal(code, 0)
  })

  t.test('Ctrl-D closes after the answer to the last line', async (t) => {
    const client = await onTerminal(t)
    client.child.stdin?.write('Hello\r\u0004')
    const { code, stdout } = await client.ended
    t.match(stdout, /Received: World! \(Hello\)\r\n[^]*Disconnected \(code 1000\)\r\n$/)
    t.equal(code, 0)
  })
})
