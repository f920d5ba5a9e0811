import t from 'tap'
import fastifyChat from '../../src/index.ts'
import { ChatClient } from '../../src/client/node.ts'
import { connect } from '../../src/testing.ts'
import { unknownName } from '../../src/unknown-name.ts'
import { bare, build, listen } from '../support/app.ts'
import { chatClient } from '../support/chat-client.ts'

t.test('an unknown name is answered with the nearest known one, or with all if none is near', async (t) => {
  const known = ['limits', 'origins', 'authorize', 'authenticate', 'prePost', 'onPost']
  const nearest: Record<string, string> = {
    lmits: 'limits', ilmits: 'limits', limit: 'limits', limitss: 'limits', Limits: 'limits', authorise: 'authorize', onpost: 'onPost', prepost: 'prePost', onPsot: 'onPost'
  }
  for (const [name, near] of Object.entries(nearest)) t.equal(unknownName(name, known), `does not exist; did you mean '${near}'?`, name)
  for (const name of ['x', '', 'store', 'constructor', 'limits'.repeat(100_000)]) {
    t.equal(unknownName(name, known), `does not exist: use ${known.join(', ')}`, name.slice(0, 20))
  }
})

t.test('unknown options are rejected at register on every level', async (t) => {
  const wrong: Array<[options: object, text: string]> = [
    [{ lmits: {} }, "option 'lmits' does not exist; did you mean 'limits'?"],
    [{ limits: { chatPayloads: 1 } }, "option 'limits.chatPayloads' does not exist; did you mean 'limits.chatPayload'?"],
    [{ chat: { defaultroom: 'a' } }, "option 'chat.defaultroom' does not exist; did you mean 'chat.defaultRoom'?"],
    [{ echo: { greting: 'a' } }, "option 'echo.greting' does not exist; did you mean 'echo.greeting'?"],
    [{ routeOptions: { prehandler: [] } }, "option 'routeOptions.prehandler' does not exist; did you mean 'routeOptions.preHandler'?"],
    [{ onMessage: () => {} }, "option 'onMessage' does not exist: use prefix, "]
  ]
  for (const [options, text] of wrong) {
    const error = await bare(t).register(fastifyChat, options).then(() => undefined, (error: unknown) => error as Error & { code: string })
    t.equal(error?.code, 'FST_CHAT_INVALID_OPTION')
    t.ok(error?.message.includes(text), text)
  }
})

t.test('unknown properties of the arguments of app.chat and the test kit are rejected', async (t) => {
  const app = await build(t)
  const { chat } = app
  const wrong: Array<[call: () => Promise<unknown>, text: string]> = [
    [() => chat.publish('a', { text: 'x', form: null } as object as { text: string }), "argument 'publication.form' does not exist; did you mean 'publication.from'?"],
    [() => chat.publish('a', { text: 'x', from: { id: 'i', name: '', nam: 'x' } as { id: string, name: string } }), "argument 'publication.from.nam' does not exist; did you mean 'publication.from.name'?"],
    [() => chat.history('a', { limits: 1 } as object), "argument 'query.limits' does not exist; did you mean 'query.limit'?"],
    [() => chat.kick('x', { reasons: 'x' } as object), "argument 'options.reasons' does not exist; did you mean 'options.reason'?"],
    [() => chat.mute('x', { durations: 1 } as object as { duration: number }), "argument 'options.durations' does not exist; did you mean 'options.duration'?"],
    [() => chat.ban({ adress: '::1' } as object as { address: string }, { duration: 1 }), "argument 'who.adress' does not exist; did you mean 'who.address'?"],
    [() => connect(app, '/chat', { header: {} } as object), "argument 'options.header' does not exist; did you mean 'options.headers'?"]
  ]
  for (const [call, message] of wrong) await t.rejects(call(), { code: 'FST_CHAT_INVALID_ARGUMENT', message })
})

t.test('unknown options and event names of the client are rejected', async (t) => {
  t.throws(() => new ChatClient('ws://127.0.0.1:1', { tokn: 'x' } as object), new TypeError("option 'tokn' does not exist: use name, token, session, connect, savedPosts, minDelay, maxDelay, connectTimeout, queue, heartbeat"))
  const ada = chatClient(t, await listen(await build(t)), { name: 'ada' })
  t.throws(() => ada.on('stats' as 'status', () => {}), new TypeError("event 'stats' does not exist: use status, error, restored, direct"))
  t.throws(() => ada.on('status', undefined as never), new TypeError("the listener of 'status' must be a function"))
  await t.rejects(ada.join('a', { hisotry: 1 } as object), { code: 'invalid', message: "option 'hisotry' does not exist: use history, after, revision" })
  const room = await ada.join('a')
  t.throws(() => room.on('mesage' as 'message', () => {}), new TypeError("event 'mesage' does not exist: use joined, message, changed, presence, typing, signal, readPosition, left"))
})
