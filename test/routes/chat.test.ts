import t from 'tap'
import { connect } from '../../src/testing.ts'
import { emptied } from '../support/app-checks.ts'
import { build, listen } from '../support/app.ts'
import { refused } from '../support/websocket-client.ts'

t.test('an invalid query is refused with 400 and a code, and the socket is closed', async (t) => {
  const app = await build(t)
  const port = await listen(app)
  const gone = emptied(app)
  for (const query of [
    'room=', 'room=two%20words', 'room=%2Fetc', 'room=' + 'a'.repeat(65), 'room=a&room=b', 'room=l%C3%B6bby', 'room=lobby%0A',
    'name=%20', 'name=a&name=b', 'name=' + 'a'.repeat(33), 'name=%E2%80%AEevil', 'name=a%00', 'name=a%E2%80%8Bb', 'name=%0A',
    'history=', 'history=-1', 'history=1.5', 'history=all', 'history=1e3', 'history=1000000', 'history=1&history=2',
    'self=', 'self=2', 'self=false', 'self=0&self=1'
  ]) {
    const { status, body } = await refused(`ws://127.0.0.1:${port}/chat?${query}`)
    t.equal(status, 400, query)
    t.match(JSON.parse(body), { code: 'FST_CHAT_INVALID_QUERY', message: `query parameter '${query.split('=')[0]}' must` }, query)
  }
  await gone()
})

t.test('a valid query is accepted', async (t) => {
  const app = await build(t)
  for (const query of [
    'room=' + 'a'.repeat(64), 'room=A.b_c:d-1', 'name=', 'name=ada%20lovelace', 'name=%E2%82%AC', 'name=' + '%F0%9F%98%80'.repeat(32),
    'history=0', 'history=999999', 'self=0', 'self=1', 'unknown=1', 'room=a%3Ab&name=x&history=5&self=0'
  ]) {
    const { close } = await connect(app, `/chat?${query}`)
    await close()
    t.pass(query)
  }
})
