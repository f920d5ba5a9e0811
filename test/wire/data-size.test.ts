import t from 'tap'
import { chat, type ChatApp } from '../support/chat-app.ts'
import { holdRates } from '../support/hold-rates.ts'
import type { V1Client } from '../support/v1-client.ts'

/** Returns an array of numbers as JSON. Each has 4 bytes here, and 21 as it is kept. */
const numbers = (count: number): string => JSON.stringify(new Array(count).fill(0)).replaceAll('0', '1e20')

/** Returns a post or an edit as JSON. */
const request = (fields: object, data: string): string => JSON.stringify({ room: 'a', text: '', ...fields }).replace(/}$/, `,"data":${data}}`)

async function member ({ tcp }: ChatApp): Promise<V1Client> {
  const client = await tcp()
  await client.hello({ changes: true })
  await client.join('a')
  return client
}

t.test('data that grows above the payload limit when it is kept is refused', async (t) => {
  const ada = await member(await chat(t, { limits: { chatPayload: 1_000 } }))
  const position = await ada.posted('a', '1')
  for (const fields of [{ type: 'post', id: 'p' }, { type: 'edit', id: 'e', position }]) {
    t.match(await ada.refused(request(fields, numbers(50))), {
      code: 'invalid',
      message: 'text and data have 1120 bytes as JSON.stringify writes them: the limit is 1000',
      room: 'a',
      id: fields.id,
      request: fields.type
    })
    ada.say(request(fields, numbers(40)))
    t.match(await ada.take(2), [{ data: new Array(40).fill(1e20) }, { type: 'ack', id: fields.id }])
  }
})

t.test('data counts in the rate of bytes with its size as it is kept', async (t) => {
  const server = await chat(t, { limits: { chatPayload: 1_000, byteRate: 1, byteBurst: 2_000 } })
  holdRates(t)
  for (const type of ['post', 'edit']) {
    const ada = await member(server)
    const position = await ada.posted('a', type)
    const sized = (id: string) => request({ type, id, position, text: id }, numbers(40))
    for (const id of ['1', '2']) {
      ada.say(sized(id))
      await ada.take(2)
    }
    t.match(await ada.refused(sized('3')), { code: 'rate_limited', request: type, id: '3' })
  }
})
