import t from 'tap'
import type { FastifyChatOptions } from '../../src/index.ts'
import { connect } from '../../src/testing.ts'
import { build, listen, logged } from '../support/app.ts'
import { open } from '../support/websocket-client.ts'

const quiet: FastifyChatOptions = { chat: { greeting: false } }

t.test('the log', async (t) => {
  t.test('has one info line per connection, at its end, with code, reason and counts', async (t) => {
    const app = await build(t)
    const port = await listen(app)
    const { socket, next } = await open(t, `ws://127.0.0.1:${port}/chat?name=ada`)
    await next()
    socket.send('hello')
    t.equal(await next(), 'ada: hello')
    socket.close(4000, 'enough')
    const line = await logged(app, 'websocket closed')
    t.match(line, {
      level: 30,
      reqId: 'req-1',
      code: 4000,
      reason: 'enough',
      duration: Number,
      received: { messages: 1, bytes: 5 },
      sent: { messages: 2, bytes: (2 + 'connected to WebSocket server'.length) + (2 + 'ada: hello'.length) }
    })
    t.ok(Number.isInteger(line['duration']))
    t.equal(app.lines.filter(({ reqId, level }) => reqId === 'req-1' && level === 30).length, 2, 'the other line is the incoming request')
  })

  t.test('has the close code that the server sent', async (t) => {
    const app = await build(t)
    const { closed } = await connect(app, '/echo')
    await app.close()
    await closed
    t.match(await logged(app, 'websocket closed'), { code: 1001, reason: 'the server is stopping' })
  })

  t.test('has every received message at debug level only', async (t) => {
    const app = await build(t, quiet)
    const chat = await connect(app, '/chat?room=hall')
    chat.send('hello')
    await chat.next()
    chat.send(Buffer.alloc(7))
    await chat.next()
    const echo = await connect(app, '/echo')
    echo.send('echo')
    await echo.next()
    t.match(app.lines.filter(({ msg }) => msg === 'received'), [
      { level: 20, room: 'hall', text: 'hello' },
      { level: 20, room: 'hall', bytes: 7 },
      { level: 20, text: 'echo' }
    ])
    t.notOk(app.lines.some(({ level, ...line }) => level > 20 && /hello/.test(JSON.stringify(line))))
  })

  t.test('has an error line for a handler that throws, which closes the connection with 1011', async (t) => {
    const app = await build(t, { echo: { reply: (message) => { if (message === 'bad') throw new Error('boom'); return message } } })
    const [bad, good] = [await connect(app, '/echo'), await connect(app, '/echo')]
    bad.send('bad')
    t.match(await bad.closed, { code: 1011 })
    good.send('good')
    t.equal(await good.next(), 'good')
    t.match(app.lines.find(({ level }) => level === 50), { reqId: 'req-1', err: { message: 'boom' } })
  })
})
