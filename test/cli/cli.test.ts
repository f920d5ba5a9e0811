import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import websocket from '@fastify/websocket'
import t from 'tap'
import type { Test } from 'tap'
import { WebSocketServer } from 'ws'
import type { WebSocket } from 'ws'
import { command } from '../support/compiled.ts'
import { run } from '../support/command.ts'
import { directory } from '../support/directory.ts'
import { bare, listen } from '../support/app.ts'
import { raw } from '../support/raw-client.ts'
import { open, refused } from '../support/websocket-client.ts'

const script = '/usr/bin/script'
const listening = /Server listening at (http:\/\/127\.0\.0\.1:\d+)/

/** Uses node:http, because fetch() can't set the Host header. */
async function get (port: string, path: string, host: string): Promise<{ status: number | undefined, body: string }> {
  const [response] = await once(request({ host: '127.0.0.1', port, path, headers: { host } }).end(), 'response') as [IncomingMessage]
  return { status: response.statusCode, body: await text(response) }
}

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

/** Checks all cases concurrently: a process takes a third of a second to start. */
async function each<T> (cases: readonly T[], check: (one: T) => Promise<void>): Promise<void> {
  await Promise.all(cases.map(check))
}

const answering = (socket: WebSocket) => {
  socket.on('message', (data) => socket.send(`World! (${data})`))
}

t.test('help and version are printed', async (t) => {
  await each<[string[], RegExp]>([
    [['--help'], /^Usage: fastify-chat <command>[^]* serve [^]* connect /],
    [['-h'], /^Usage: fastify-chat <command>/],
    [['serve', '--help'], /^Usage: fastify-chat serve[^]*--port[^]*3000[^]*--host[^]*127\.0\.0\.1[^]*--data[^]*--redis[^]*5 s[^]*--log-level/],
    [['connect', '--help'], /^Usage: fastify-chat connect[^]*--send[^]*--every[^]*seconds[^]*--count[^]*--json[^]*--room[^]*--name[^]*--history[^]*--v1[^]*--token[^]*--header[^]*--subprotocol[^]*--origin[^]*--auth[^]*--no-check[^]*4401: 41[^]*Examples:/],
    [['--version'], /^\d+\.\d+\.\d+\n$/]
  ], async ([args, expected]) => {
    const { code, stdout, stderr } = await run(t, args).ended
    t.match(stdout, expected, args.join(' '))
    t.equal(stderr, '')
    t.equal(code, 0)
  })
})

t.test('wrong usage prints the problem on stderr and exits with code 2', async (t) => {
  const file = join(directory(t), 'file')
  writeFileSync(file, '')
  await each<[string[], RegExp, Record<string, string>?]>([
    [[], /^fastify-chat: missing command: serve, connect or verify/],
    [['sing'], /^fastify-chat: unknown command 'sing'\nTry: fastify-chat --help\n$/],
    [['--loud'], /^fastify-chat: Unknown option '--loud'\n/],
    [['connect'], /^fastify-chat connect: missing URL\nTry: fastify-chat connect --help\n$/],
    [['connect', 'localhost:3000'], /must start with ws:.*'localhost:3000'/],
    [['connect', 'nonsense'], /must start with ws:.*'nonsense'/],
    [['connect', 'ws://a:port'], /the URL 'ws:\/\/a:port' is invalid/],
    [['connect', 'ws://a', '-H', 'secret'], /--header must be a header such as/],
    [['connect', 'ws://a', '-H', ': secret'], /--header must be a header such as/],
    [['connect', 'ws://a', '-H', 'x y: secret'], /--header must be .*: 'x y' is invalid/],
    [['connect', 'ws://a', '-H', 'x: secret\n'.repeat(2)], /--header must be .*: 'x' is invalid/],
    [['connect', 'ws://a', '-H', 'Sec-WebSocket-Protocol: x'], /--header can't set Sec-WebSocket-Protocol, which belongs/],
    [['connect', 'ws://a', '-s', 'a,b'], /--subprotocol must be a name without spaces or commas, not 'a,b'/],
    [['connect', 'ws://a', '-s', 'a', '-s', 'a'], /--subprotocol must not be repeated with the same name/],
    [['connect', 'ws://a', '--auth', 'secret'], /--auth must be USER:PASSWORD/],
    [['connect', 'ws://a', '--no-check'], /--no-check requires a wss:\/\/ or https:\/\/ URL/],
    [['connect', 'ws://a', '--history', '-1'], /--history/],
    [['connect', 'ws://a', '--history', '1001'], /--history must be an integer from 0 to 1000, not '1001'/],
    [['connect', 'ws://a', '--token', 'secret'], /--token requires --v1/],
    [['connect', 'ws://a', '--v1', '-s', 'x'], /use either --v1 or --subprotocol, not both/],
    [['connect', 'ws://a', '--send', 'Msg', 'from', 'client'], /unexpected argument 'from'/],
    [['connect', 'ws://a', '--sned', 'x'], /^fastify-chat connect: Unknown option '--sned'\n/],
    [['connect', 'ws://a', '--send'], /--send .*missing/],
    [['connect', 'ws://a', '--send', 'x', '--every', '3 days'], /--every .*not '3 days'/],
    [['connect', 'ws://a', '--send', 'x', '--every', '0'], /--every .*not '0'/],
    [['connect', 'ws://a', '--send', 'x', '--every', '600h'], /--every .*not '600h'/],
    [['connect', 'ws://a', '--send', 'x', '--count', '0'], /--count .*not '0'/],
    [['connect', 'ws://a', '--every', '1s'], /--every requires --send/],
    [['connect', 'ws://a', '--count', '1'], /--count requires --send/],
    [['serve', '--port', '65536'], /--port must be .*not '65536'/],
    [['serve', '--port', 'http'], /--port must be .*not 'http'/],
    [['serve'], /PORT must be .*not '3000\.5'/, { PORT: '3000.5' }],
    [['serve', '-p', 'http'], /--port must be .*not 'http'/],
    [['serve', '--host', ''], /--host must be /],
    [['serve', '--host', '[::1]:80'], /--host must be an IP address or a host name, without scheme and port, not '\[::1\]:80'/],
    [['serve', '--host', '[localhost]'], /--host must be an IP address/],
    [['serve'], /HOST must be an IP address .*not 'http:\/\/localhost'/, { HOST: 'http://localhost' }],
    [['serve', '--data', ''], /--data must be the path of a directory/],
    [['serve', '--data', file], /--data must be the path of a directory, but '.*\/file' is a file/],
    [['serve', '--data', join(file, 'below', 'it')], /--data must be the path of a directory, but '.*\/file' is a file/],
    [['verify', file], /DIR must be the path of a directory, but '.*\/file' is a file/],
    [['serve', '--redis', 'http://:secret@host'], /^fastify-chat serve: --redis must be redis:\/\/HOST:PORT, [^']*\n/],
    [['serve', '--redis', 'redis://:secret@host:port'], /^fastify-chat serve: --redis must be [^']*\n/],
    [['serve', '--redis', 'redis://host', '--data', 'dir'], /use either --data or --redis, not both/],
    [['serve', '--log-level', 'loud'], /--log-level must be one of .*not 'loud'/],
    [['serve', 'now'], /'now'/]
  ], async ([args, expected, env = {}]) => {
    const { code, stdout, stderr } = await run(t, args, { env }).ended
    t.match(stderr, expected, args.join(' '))
    t.notMatch(stderr, 'secret')
    t.equal(stdout, '')
    t.equal(code, 2)
  })
})

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

  t.test('an app with @fastify/websocket that closes a socket of another route at once: the reason, and code 1', async (t) => {
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
    const client = run(t, ['-qefc', `exec ${command.join(' ')} connect ${url}`, '/dev/null'], {
      file: script, stdin: 'pipe', env: { TERM: 'xterm' }
    })
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

t.test('serve', async (t) => {
  t.test("prints its and the page's address, answers, and stops cleanly on SIGTERM and SIGINT", async (t) => {
    await each(['SIGTERM', 'SIGINT'] as const, async (signal) => {
      const server = run(t, ['serve', '--port', '0'])
      const [, url = ''] = await server.seen(listening)
      const page = await fetch(url)
      t.equal(page.status, 200)
      t.match(page.headers.get('content-type'), 'text/html')

      const client = run(t, ['connect', `${url}/echo`, '--send', 'Hello echo'])
      await client.seen(/Received: Hello echo\n/)
      await server.seen(/"level":20,.*Hello echo/)
      server.child.kill(signal)
      t.match(await client.ended, { code: 0, stdout: /Disconnected \(code 1001.*\)\n$/ })
      const { code, stdout, stderr } = await server.ended
      t.match(stdout, `${signal} received, closing`)
      t.equal(stderr, '')
      t.equal(code, 0)
      for (const line of stdout.trim().split('\n')) t.doesNotThrow(() => JSON.parse(line))
    })
  })

  t.test('only refused requests are logged, with the reason', async (t) => {
    const server = run(t, ['serve', '--port', '0'])
    const [, url = ''] = await server.seen(listening)
    await fetch(url)
    await fetch(`${url}/nothing-here`)
    await server.seen(/"url":"\/nothing-here","statusCode":404/)
    await fetch(`${url}/echo`)
    await server.seen(/"url":"\/echo","statusCode":426,"reason":"this is a WebSocket endpoint/)
    server.child.kill('SIGTERM')
    const { stdout } = await server.ended
    t.notMatch(stdout, /incoming request|"statusCode":200/)
  })

  t.test('--log-level info leaves out the messages', async (t) => {
    const server = run(t, ['serve', '--port', '0', '--log-level', 'info'])
    const [, url = ''] = await server.seen(listening)
    await run(t, ['connect', `${url}/echo`, '--send', 'Hello quiet', '--count', '1']).ended
    server.child.kill('SIGTERM')
    t.notMatch(await server.ended, { stdout: /Hello quiet/ })
  })

  t.test('an unusable address prints one line on stderr and exits with code 1', async (t) => {
    const [host = '', port = ''] = (await address(t, createTcpServer().listen(0, '127.0.0.1'))).split(':')
    await each<[string[], Record<string, string>, string]>([
      [['--port', port], {}, `${host}:${port} is already in use: choose another port with --port or PORT\n`],
      [[], { PORT: port, HOST: host }, `${host}:${port} is already in use: choose another port with --port or PORT\n`],
      // An address of TEST-NET-1 (RFC 5737) is never assigned.
      [['--host', '192.0.2.1'], { HOST: '127.0.0.1' }, '192.0.2.1 is not an address of this machine: choose another with --host or HOST\n'],
      [['--host', 'nobody.invalid'], {}, 'nobody.invalid is not an address of this machine: choose another with --host or HOST\n']
    ], async ([args, env, expected]) => {
      const { code, stderr } = await run(t, ['serve', ...args], { env }).ended
      t.equal(stderr, expected)
      t.equal(code, 1)
    })
  })

  t.test('PORT and HOST are read from the environment, and options take precedence', async (t) => {
    await each<[string[], Record<string, string>, RegExp]>([
      [['-p', '0', '--host', '[::1]'], {}, /listening at http:\/\/\[::1\]:\d+/],
      [[], { PORT: '0', HOST: '127.0.0.2' }, /listening at http:\/\/127\.0\.0\.2:\d+/],
      [['--port', '0', '--host', '127.0.0.1'], { PORT: '1', HOST: '127.0.0.2' }, /listening at http:\/\/127\.0\.0\.1:\d{4}/]
    ], async ([args, env, expected]) => {
      const server = run(t, ['serve', ...args], { env })
      await server.seen(expected)
      server.child.kill('SIGTERM')
      t.match(await server.ended, { code: 0 })
    })
  })

  t.test('on a loopback address only loopback host names are accepted (DNS rebinding)', async (t) => {
    const server = run(t, ['serve', '--port', '0', '--host', 'LOCALHOST'])
    const [, port = ''] = await server.seen(/Server listening at http:\/\/127\.0\.0\.1:(\d+)/)
    await each([
      'evil.example', `evil.example:${port}`, 'localhost.evil.example', '127.0.0.1.evil.example', 'evil.example@localhost',
      'localhost/evil.example', 'localhost, evil.example', '10.0.0.1', '[::2]', '0.0.0.0', 'not a host'
    ], async (host) => {
      for (const path of ['/', '/config.json', '/nowhere']) {
        const { status, body } = await get(port, path, host)
        t.equal(status, 421, `${host} ${path}`)
        t.match(JSON.parse(body), { statusCode: 421, code: 'FST_CHAT_HOST_REFUSED', message: `does not serve the host '${host}': use localhost` })
      }
      for (const path of ['/chat', '/echo']) {
        const { status, body } = await refused(`ws://127.0.0.1:${port}${path}`, { headers: { host }, origin: `http://${host}` })
        t.match([status, JSON.parse(body)], [421, { code: 'FST_CHAT_HOST_REFUSED' }], `${host} ${path}`)
      }
    })
    const nameless = await raw(t, Number(port))
    nameless.socket.write('GET / HTTP/1.1\r\nHost:\r\n\r\n')
    await nameless.until((received) => received.includes('HTTP/1.1 421 '))
    await each(['localhost', `localhost:${port}`, 'LocalHost', '127.0.0.1', '127.1.2.3:80', '[::1]', `[::1]:${port}`], async (host) => {
      t.match(await get(port, '/', host), { status: 200 }, host)
      const client = await open(t, `ws://127.0.0.1:${port}/echo`, { headers: { host }, origin: `http://${host}` })
      client.socket.close()
      const { status } = await refused(`ws://127.0.0.1:${port}/echo`, { headers: { host }, origin: 'http://evil.example' })
      t.equal(status, 403, 'a page of another site is refused')
    })
  })

  t.test('on all addresses any host name is accepted', async (t) => {
    const server = run(t, ['serve', '--port', '0', '--host', '0.0.0.0'])
    const [, port = ''] = await server.seen(/Server listening at http:\/\/127\.0\.0\.1:(\d+)/)
    const host = 'chat.example'
    t.match(await get(port, '/', host), { status: 200 })
    const client = await open(t, `ws://127.0.0.1:${port}/echo`, { headers: { host }, origin: `http://${host}` })
    client.socket.close()
  })

  t.test("on a terminal logs are readable text, and clients can't control the terminal", { skip: noTerminal() }, async (t) => {
    const server = run(t, ['-qefc', `exec ${command.join(' ')} serve --port 0`, '/dev/null'], {
      file: script, stdin: 'pipe', env: { TERM: 'xterm', NO_COLOR: '1' }
    })
    const [, url = ''] = await server.seen(listening)
    await run(t, ['connect', `${url}/chat`, '--send', 'Hello \u001b[2J \u009b31m\nthere', '--count', '1']).ended
    await server.seen(/Hello [^]*there/)
    server.child.stdin?.write('\u0003')
    const { code, stdout } = await server.ended
    t.match(stdout, 'SIGINT received, closing')
    t.notMatch(stdout, '"level":')
    t.notMatch(stdout, '\u001b[2J')
    t.notMatch(stdout, '\u009b')
    t.match(stdout, /Hello .*there/, 'on one line')
    t.equal(code, 0)
  })

  t.test('the server ends when its terminal closes', { skip: noTerminal() }, async (t) => {
    const server = run(t, ['-qefc', `echo "pid $$"; exec ${command.join(' ')} serve --port 0`, '/dev/null'], {
      file: script, stdin: 'pipe', env: { TERM: 'xterm' }
    })
    const [, pid] = await server.seen(/pid (\d+)/)
    await server.seen(listening)
    let ended = false
    t.teardown(() => ended || process.kill(Number(pid), 'SIGKILL'))
    server.child.kill('SIGKILL')
    await server.ended
    ended = true
  })
})

function noTerminal (): string | false {
  try {
    accessSync(script, constants.X_OK)
    return false
  } catch {
    return `${script} of util-linux is not installed`
  }
}
