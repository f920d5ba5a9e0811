import { EventEmitter, once } from 'node:events'
import { Readable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import t from 'tap'
import { errors, type ChatEntry, type TextStream } from '../../src/index.ts'
import { memory } from '../../src/drivers/memory/backend.ts'
import { MAX_STREAM_BYTES } from '../../src/request-bounds.ts'
import type { Entry, Store } from '../../src/store.ts'
import type { Bounds } from '../../src/bounds.ts'
import { build, type App } from '../support/app.ts'
import { backendWith } from '../support/backend.ts'
import { gate } from '../support/gate.ts'
import { tick } from '../support/tick.ts'

/** Returns the only message of the room `a`. */
async function message ({ chat }: App): Promise<ChatEntry> {
  const { entries } = await chat.history('a')
  if (entries.length !== 1) throw new Error(`${entries.length} messages`)
  return entries[0]!
}

/** Writes text and resolves when it is stored. */
async function stored (stream: TextStream, ...args: [chunk: string | Uint8Array, encoding?: BufferEncoding]): Promise<void> {
  const [chunk, encoding = 'utf8'] = args
  await new Promise<void>((resolve, reject) => stream.write(chunk, encoding, (error) => error ? reject(error) : resolve()))
}

/** Starts an app whose store records what is appended to texts. `pass` is awaited before each append. */
async function recorded (t: Parameters<typeof build>[0], pass: () => Promise<void> = async () => {}, bounds: Partial<Bounds> = {}) {
  const appends: string[] = []
  const app = await build(t, {
    backend: backendWith((works) => ({
      async amend (room, position, amendment) {
        if ('append' in amendment.change) {
          appends.push(amendment.change.append)
          await pass()
        }
        return await works.amend(room, position, amendment)
      }
    }))
  }, bounds)
  return { app, appends }
}

t.test('the text that is written to a stream is the text of a message', async (t) => {
  const app = await build(t)
  const stream = app.chat.createWriteStream('a', { from: { id: 'bot', name: 'Bot' }, data: { model: 'm' } })
  t.equal(stream.position, undefined)
  await once(stream, 'ready')
  t.match(await message(app), { position: stream.position, offset: 1, text: '', streaming: true, from: { id: 'bot', name: 'Bot' }, data: { model: 'm' } })
  await stored(stream, 'The kettle')
  t.match(await message(app), { text: 'The kettle', streaming: true })
  stream.end(' is on.')
  await finished(stream)
  const entry = await message(app)
  t.match(entry, { position: stream.position, text: 'The kettle is on.' })
  t.strictSame([entry.streaming, entry.unfinished], [undefined, undefined])
})

t.test('a stream that is ended without text leaves an empty message', async (t) => {
  const app = await build(t)
  await finished(app.chat.createWriteStream('a').end(''))
  t.match(await message(app), { text: '', streaming: undefined, unfinished: undefined })
})

t.test('the message has its place among the posts of the same tick', async (t) => {
  const app = await build(t)
  const one = app.chat.publish('a', { text: 'one' })
  const stream = app.chat.createWriteStream('a')
  const three = app.chat.publish('a', { text: 'three' })
  stream.end('two')
  await Promise.all([one, three, finished(stream)])
  t.strictSame((await app.chat.history('a')).entries.map(({ text }) => text), ['one', 'two', 'three'])
})

t.test('wrong arguments throw, and no message is stored', async (t) => {
  const app = await build(t)
  t.throws(() => app.chat.createWriteStream('no room!'), errors.InvalidRoom)
  const wrong: Array<[options: unknown, argument: RegExp]> = [
    [null, /'options' must be an object with from, data/],
    [{ text: 'x' }, /'options.text'/],
    [{ data: 1n }, /'options.data' must be serializable/],
    [{ from: 'bot' }, /'options.from' must be an object with id, name/],
    [{ from: { id: '', name: '' } }, /'options.from.id'/]
  ]
  for (const [options, argument] of wrong) {
    t.throws(() => app.chat.createWriteStream('a', options as never), { code: 'FST_CHAT_INVALID_ARGUMENT', message: argument }, `${argument}`)
  }
  t.throws(() => app.chat.createWriteStream('a', { data: 'x'.repeat(300_000) }), errors.PostTooLarge)
  t.strictSame((await app.chat.history('a')).entries, [])
})

t.test('pieces of one tick share an append, and those written during it share the next', async (t) => {
  const slow = gate()
  const { app, appends } = await recorded(t, slow.pass)
  const stream = app.chat.createWriteStream('a')
  await once(stream, 'ready')
  for (const piece of ['a', 'b']) stream.write(piece)
  await Promise.resolve().then(() => stream.write('c'))
  t.strictSame(appends, [], 'not before the end of the tick')
  await slow.reached
  t.strictSame(appends, ['abc'])
  for (const piece of ['d', 'e', 'f']) {
    stream.write(piece)
    await tick()
  }
  t.strictSame(appends, ['abc'], 'one append under way')
  slow.open()
  await stored(stream, '!')
  t.strictSame(appends, ['abc', 'def!'])
  await finished(stream.end())
  t.equal((await message(app)).text, 'abcdef!')
})

t.test('write() gives back-pressure until the text is stored', async (t) => {
  const slow = gate()
  const { app } = await recorded(t, slow.pass)
  const stream = app.chat.createWriteStream('a')
  const events: string[] = []
  t.equal(stream.write('x'.repeat(stream.writableHighWaterMark), () => events.push('written')), false)
  stream.once('drain', () => events.push('drain'))
  await slow.reached
  await tick()
  t.strictSame(events, [])
  slow.open()
  await stored(stream, '')
  t.strictSame(events.sort(), ['drain', 'written'])
  t.equal((await message(app)).text!.length, stream.writableHighWaterMark)
  await finished(stream.end())
})

t.test('characters that are split across writes are joined, and invalid ones become U+FFFD', async (t) => {
  const { app, appends } = await recorded(t)
  const stream = app.chat.createWriteStream('a')
  const [emoji, letter] = [Buffer.from('🐎'), Buffer.from('ů')]
  await stored(stream, 'a\ud83d')
  await stored(stream, '\ude00')
  await stored(stream, emoji.subarray(0, 3))
  await stored(stream, Buffer.concat([emoji.subarray(3), letter.subarray(0, 1)]))
  await stored(stream, new Uint8Array(letter.subarray(1)))
  await stored(stream, Buffer.from('hex').toString('hex'), 'hex')
  t.strictSame(appends, ['a', '😀', '🐎', 'ů', 'hex'])
  await stored(stream, '\ude00\ud83d')
  await stored(stream, '')
  await stored(stream, Buffer.from([0x62, 0xf0, 0x9f]))
  await stored(stream, 'c\ud83d')
  await finished(stream.end())
  t.strictSame(appends.slice(5), ['\ufffd', '\ufffdb', '\ufffdc', '\ufffd'])
  t.match(await message(app), { text: 'a😀🐎ůhex\ufffd\ufffdb\ufffdc\ufffd', streaming: undefined })
})

t.test('destroy() ends the message as unfinished, and close is emitted when that is stored', async (t) => {
  const slow = gate()
  const { app } = await recorded(t, slow.pass)
  const stream = app.chat.createWriteStream('a')
  stream.write('so far')
  await slow.reached
  stream.write(' dropped')
  stream.destroy()
  await tick()
  t.notOk(stream.closed, 'an append is under way')
  slow.open()
  await once(stream, 'close')
  t.match(await message(app), { text: 'so far', streaming: undefined, unfinished: true })
})

t.test('a stream that is destroyed before its message is stored leaves an unfinished message', async (t) => {
  const app = await build(t)
  const stream = app.chat.createWriteStream('a')
  stream.once('ready', () => { t.fail('ready') })
  stream.write('dropped')
  const failed = finished(stream)
  const closed = new Promise((resolve) => stream.once('close', resolve))
  stream.destroy(new Error('of the app'))
  await t.rejects(failed, { message: 'of the app' })
  await closed
  t.match(await message(app), { text: '', unfinished: true })
})

t.test('a pipeline that is aborted ends the message as unfinished', async (t) => {
  const app = await build(t)
  const abort = new AbortController()
  const { signal } = abort
  async function * model () {
    yield 'so '
    yield 'far'
    await once(signal, 'abort')
    yield 'never'
  }
  const stream = app.chat.createWriteStream('a')
  const piped = pipeline(Readable.from(model()), stream, { signal })
  while ((await app.chat.history('a')).entries[0]?.text !== 'so far') await tick()
  abort.abort()
  await t.rejects(piped, { name: 'AbortError' })
  if (!stream.closed) await once(stream, 'close')
  t.match(await message(app), { text: 'so far', unfinished: true })
})

t.test('an edit of a streamed text is rejected until it has ended', async (t) => {
  const app = await build(t)
  const stream = app.chat.createWriteStream('a')
  await stored(stream, 'one')
  await t.rejects(app.chat.edit('a', stream.position!, { text: 'two' }), errors.InvalidChange)
  await app.chat.react('a', stream.position!, '👍', { by: 'ada' })
  await finished(stream.end('!'))
  await app.chat.edit('a', stream.position!, { text: 'two' })
  t.match(await message(app), { text: 'two', reactions: [{ reaction: '👍', count: 1 }] })
})

t.test('the stream fails when its message is deleted, removed or ended by another node', async (t) => {
  let store!: Store
  const app = await build(t, { backend: backendWith((works) => { store = works; return {} }) })
  const cases: Array<[code: string, stop: (position: string) => Promise<unknown>]> = [
    ['FST_CHAT_DELETED', async (position) => { await app.chat.delete('a', position) }],
    ['FST_CHAT_NOT_KEPT', async () => { await app.chat.clear('a') }],
    ['FST_CHAT_STREAM_ENDED', async (position) => await store.amend('a', position, { by: null, idle: 0, change: { end: true, unfinished: true } })]
  ]
  for (const [code, stop] of cases) {
    for (const next of [(stream: TextStream) => { stream.write('more') }, (stream: TextStream) => { stream.end() }]) {
      const stream = app.chat.createWriteStream('a')
      await stored(stream, 'text')
      await stop(stream.position!)
      const failed = finished(stream)
      next(stream)
      await t.rejects(failed, { code }, code)
      if (!stream.closed) await once(stream, 'close')
      await app.chat.clear('a')
    }
  }
})

t.test('a text that is too long is stored up to the limit, and the stream fails', async (t) => {
  const app = await build(t)
  const full = app.chat.createWriteStream('a')
  await finished(full.end('x'.repeat(MAX_STREAM_BYTES)))
  t.match(await message(app), { text: 'x'.repeat(MAX_STREAM_BYTES), unfinished: undefined })
  await app.chat.clear('a')

  const stream = app.chat.createWriteStream('a')
  await stored(stream, 'ab')
  stream.end('€'.repeat(MAX_STREAM_BYTES / 3))
  await t.rejects(finished(stream), { code: 'FST_CHAT_POST_TOO_LARGE', message: 'the message has 65537 bytes; the limit is 65536' })
  if (!stream.closed) await once(stream, 'close')
  t.match(await message(app), { text: 'ab' + '€'.repeat((MAX_STREAM_BYTES - 4) / 3), unfinished: true })
})

t.test('a text has at most the bytes that a post of the app may have', async (t) => {
  const app = await build(t, { limits: { chatPayload: 1_024, pendingBytes: 32_768 } })
  const stream = app.chat.createWriteStream('a')
  stream.write('x'.repeat(8_193))
  await t.rejects(finished(stream), { code: 'FST_CHAT_POST_TOO_LARGE', message: /limit is 8192/ })
  if (!stream.closed) await once(stream, 'close')
  t.match(await message(app), { text: 'x'.repeat(8_192), unfinished: true })
})

t.test('the size of a text is that of its JSON, with the data and the sender', async (t) => {
  const app = await build(t, { limits: { chatPayload: 1_024, pendingBytes: 32_768 } })
  const data = 'd'.repeat(8_192 - 2 - 6 - 12)
  const stream = app.chat.createWriteStream('a', { data, from: { id: 'bot', name: 'Bot' } })
  stream.write('\u0001\u0001\u0001')
  await t.rejects(finished(stream), { code: 'FST_CHAT_POST_TOO_LARGE', message: 'the message has 8198 bytes; the limit is 8192' })
  if (!stream.closed) await once(stream, 'close')
  t.match(await message(app), { text: '\u0001\u0001', data, unfinished: true })
})

t.test('onPost is called at the beginning and onChange at the end, in order, and not for pieces', async (t) => {
  const calls = new EventEmitter()
  const order: unknown[] = []
  const app = await build(t, {
    onPost ({ text, streaming }) { order.push(['post', text, streaming]) },
    onChange (change, { text, streaming, unfinished }, room) {
      order.push([change, text, streaming, unfinished, room])
      if (change.type === 'end') calls.emit('end')
    }
  })
  const ended = once(calls, 'end')
  const stream = app.chat.createWriteStream('a')
  await app.chat.publish('a', { text: 'next' })
  await stored(stream, 'one')
  await stored(stream, ' two')
  await app.chat.react('a', stream.position!, '👍', { by: 'ada' })
  await finished(stream.end())
  await ended
  t.strictSame(order, [
    ['post', '', true],
    ['post', 'next', undefined],
    [{ type: 'react', reaction: '👍', on: true }, 'one two', true, undefined, 'a'],
    [{ type: 'end' }, 'one two', undefined, undefined, 'a']
  ])
  const unfinished = once(calls, 'end')
  app.chat.createWriteStream('a').destroy()
  await unfinished
  t.strictSame(order.slice(4), [['post', '', true], [{ type: 'end', unfinished: true }, '', undefined, true, 'a']])
  t.match(app.chat.stats(), { posts: 3, changes: 3 })
})

t.test('a stream whose writer is idle renews the lease of its message', async (t) => {
  const { app, appends } = await recorded(t, undefined, { streamLease: 30 })
  const stream = app.chat.createWriteStream('a')
  while (appends.length < 2) await tick()
  t.strictSame(new Set(appends), new Set(['']))
  t.match(await message(app), { streaming: true, revision: undefined })
  await finished(stream.end())
})

t.test('onChange is called for a message of a dead process that this node ends', async (t) => {
  let store!: Store
  const calls: unknown[] = []
  const app = await build(t, {
    backend: backendWith((works) => { store = works; return {} }),
    onChange (change, { text, unfinished }, room) { calls.push([change, text, unfinished, room]) }
  }, { streamLease: 30 })
  t.teardown(await app.chat.subscribe('a', () => {}))
  await store.append('a', { from: null, body: 'so far', streaming: true })
  while (calls.length === 0) await tick()
  t.strictSame(calls, [[{ type: 'end', unfinished: true }, 'so far', true, 'a']])
})

t.test('app.close() ends open streams as unfinished before the store closes', async (t) => {
  const ends: unknown[] = []
  let kept: readonly Entry[] = []
  const app = await build(t, {
    backend: {
      async open (app) {
        const opened = await memory().open(app)
        return {
          ...opened,
          async close () {
            kept = (await opened.store.read('a', { limit: 2, maxBytes: Infinity })).entries
            await opened.close()
          }
        }
      }
    },
    onChange (change, { text }) { ends.push([change, text]) }
  })
  const done = app.chat.createWriteStream('a')
  await finished(done.end('done'))
  const stream = app.chat.createWriteStream('a')
  await stored(stream, 'so far')
  const closed = once(stream, 'close')
  await app.close()
  await closed
  t.match(kept, [{ body: 'done', unfinished: undefined }, { body: 'so far', unfinished: true }])
  t.strictSame(ends, [[{ type: 'end' }, 'done'], [{ type: 'end', unfinished: true }, 'so far']])
  t.throws(() => app.chat.createWriteStream('a'), { code: 'FST_CHAT_STORE_CLOSED' })
})

t.test('app.close() does not wait for a store that fails or hangs', async (t) => {
  for (const fail of [async () => { throw new errors.StoreUnavailable() }, async () => { await new Promise(() => {}) }]) {
    let isBroken = false
    const app = await build(t, {
      drainTimeout: 20,
      backend: backendWith((works) => ({
        async amend (...args) {
          if (isBroken) await fail()
          return await works.amend(...args)
        }
      }))
    })
    await stored(app.chat.createWriteStream('a'), 'so far')
    isBroken = true
    await app.close()
  }
})
