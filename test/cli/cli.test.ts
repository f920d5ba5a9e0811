import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { each, run } from '../support/command.ts'
import { directory } from '../support/directory.ts'

t.test('help and version are printed', async (t) => {
  await each<[string[], RegExp]>([
    [['--help'], /^Usage: fastify-chat <command>[^]* serve [^]* connect /],
    [['-h'], /^Usage: fastify-chat <command>/],
    [['serve', '--help'], /^Usage: fastify-chat serve[^]*--port[^]*3000[^]*--host[^]*127\.0\.0\.1[^]*--data[^]*--redis[^]*5 s[^]*--log-level/],
    [['connect', '--help'], /^Usage: fastify-chat connect[^]*--send[^]*--every[^]*seconds[^]*--count[^]*--json[^]*--room[^]*--name[^]*--history[^]*--v1[^]*--token[^]*--header[^]*--subprotocol[^]*--origin[^]*--auth[^]*--no-check[^]*4401: 41[^]*Examples:/],
    [['--help', 'serve'], /^Usage: fastify-chat <command>/],
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
    [['connect', 'ws://a', '-o', ''], /--origin must be an origin such as .*, not ''/],
    [['connect', 'ws://a', '-o', 'http://a\nb'], /--origin must be an origin such as /],
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
