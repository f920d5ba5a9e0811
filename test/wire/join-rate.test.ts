import t from 'tap'
import { chat } from '../support/chat-app.ts'
import { holdRates } from '../support/hold-rates.ts'

t.test('joins beyond the first of each possible room count as four requests', async (t) => {
  const server = await chat(t, { limits: { roomsPerMember: 3, messageRate: 1, messageBurst: 10 } })
  const pass = holdRates(t)
  const ada = await server.member({}, 'a', 'b', 'c')
  await ada.leave('a')
  const { position: after } = await ada.join('a')
  await ada.leave('a')
  const join = { type: 'join', room: 'a', after }
  t.match(await ada.refused(join), { code: 'rate_limited', request: 'join', retryAfter: 3_000 })
  pass(3_000)
  await ada.join('a', { after })
  await ada.end()
  await server.member({}, 'a', 'b', 'c')
})
