import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { each, noTerminal, run, runOnTerminal } from '../support/command.ts'
import { raw } from '../support/raw-client.ts'
import { open, refused } from '../support/websocket-client.ts'

const listening = /Server listening at (http:\/\/127\.0\.0\.1:\d+)/

/** Uses node:http, because fetch() can't set the Host header. */
async function get (port: string, path: string, host: string): Promise<{ status: number | undefined, body: string }> {
  const [response] = await once(request({ host: '127.0.0.1', port, path, headers: { host } }).end(), 'response') as [IncomingMessage]
  return { status: response.statusCode, body: await text(response) }
}

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
    const other = createTcpServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    t.teardown(() => other.close())
    const [host, port] = ['127.0.0.1', String((other.address() as AddressInfo).port)]
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
    const server = runOnTerminal(t, 'serve --port 0', { env: { NO_COLOR: '1' } })
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
    const server = runOnTerminal(t, 'serve --port 0', { before: 'echo "pid $$"; ' })
    const [, pid] = await server.seen(/pid (\d+)/)
    await server.seen(listening)
    let ended = false
    t.teardown(() => ended || process.kill(Number(pid), 'SIGKILL'))
    server.child.kill('SIGKILL')
    await server.ended
    ended = true
  })
})
