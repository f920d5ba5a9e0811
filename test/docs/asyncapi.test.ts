import { readFileSync } from 'node:fs'
import specs from '@asyncapi/specs'
import t from 'tap'
import { Compile } from 'typebox/compile'
import { parse } from 'yaml'
import { asyncapi } from '../../docs/asyncapi/document.ts'
import { clientMessages, serverMessages } from '../../src/messages.ts'
import { CloseCode, ErrorCode, SUBPROTOCOL } from '../../src/protocol.ts'

type Json = Record<string, unknown>
interface Message { readonly name: string, readonly summary: string, readonly payload: Json }
interface Channel {
  readonly messages: Record<string, Message>
  readonly bindings: { readonly ws: { readonly headers: { readonly properties: Record<string, { readonly pattern: string }> } } }
  readonly 'x-close-codes': ReadonlyArray<{ readonly code: number }>
}
interface Operation { readonly action: string, readonly messages: Message[], readonly reply?: { readonly messages: Message[] } }

const text = readFileSync(new URL('../../docs/asyncapi.yaml', import.meta.url), 'utf8')
const document = parse(text) as Json
const chat = resolve({ $ref: '#/channels/chat' }) as unknown as Channel

/** Replaces references by their targets. */
function resolve (value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(resolve)
  if (!('$ref' in value)) return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, resolve(each)]))
  const path = String(value.$ref).split('/').slice(1)
  const target = path.reduce<unknown>((within, key) => (within as Json | undefined)?.[key], document)
  if (target === undefined) throw new Error(`${String(value.$ref)} does not exist`)
  return resolve(target)
}

t.test('asyncapi.yaml is what npm run docs:asyncapi writes', async (t) => {
  t.equal(text, asyncapi())
})

t.test('the AsyncAPI document is valid', async (t) => {
  const validator = Compile(specs.schemasWithoutId['3.0.0'] as Json)
  t.same(validator.Errors(document), [])
  t.notOk(validator.Check({ ...document, channels: { chat: { address: 1 } } }), 'a channel with an invalid address is rejected')
  t.notOk(validator.Check({ ...document, components: { schemas: { room: { type: 'text' } } } }), 'a schema of an unknown type is rejected')
})

t.test('the AsyncAPI document accepts the subprotocol offered alone or among others', async (t) => {
  const offer = new RegExp(chat.bindings.ws.headers.properties['Sec-WebSocket-Protocol']!.pattern)
  for (const header of [SUBPROTOCOL, `other, ${SUBPROTOCOL}`, `${SUBPROTOCOL},other`, `a,${SUBPROTOCOL}, b`]) t.match(header, offer)
  for (const header of ['', 'other', `${SUBPROTOCOL}1`, `x${SUBPROTOCOL}`, SUBPROTOCOL.replace('.', '-')]) t.notMatch(header, offer)
})

t.test("the AsyncAPI document describes the server's messages", async (t) => {
  const described: Record<string, Record<string, Json>> = { client: {}, server: {} }
  for (const [key, { name, summary, payload }] of Object.entries(chat.messages)) {
    t.type(summary, 'string')
    described[key.startsWith('client') ? 'client' : 'server']![name] = { ...payload, description: summary }
  }
  const { code } = described['server']!['error']!['properties'] as Record<string, Json>
  t.same((code!['anyOf'] as Json[]).flatMap((known) => known['const'] ?? []), Object.values(ErrorCode))
  const schemas = JSON.parse(JSON.stringify({ client: clientMessages, server: serverMessages })) as typeof described
  Object.assign(schemas['server']!['error']!['properties'] as Json, { code })
  t.same(described, schemas)
})

t.test('the AsyncAPI document accepts an error with a known or an unknown code', async (t) => {
  const validator = Compile(chat.messages['serverError']!.payload)
  for (const code of [ErrorCode.muted, 'of_a_later_server']) t.ok(validator.Check({ type: 'error', code, message: '' }), code)
  t.notOk(validator.Check({ type: 'error', code: 1, message: '' }))
})

t.test('the AsyncAPI document has all close codes, in order', async (t) => {
  t.same(chat['x-close-codes'].map(({ code }) => code), Object.values(CloseCode).sort((a, b) => a - b))
})

t.test('client messages are received and server messages sent in the AsyncAPI document', async (t) => {
  const operations = Object.values(resolve(document['operations']) as Record<string, Operation>)
  const received = operations.filter(({ action }) => action === 'receive')
  const sent = [...received.flatMap(({ reply }) => reply?.messages ?? []), ...operations.filter(({ action }) => action === 'send').flatMap(({ messages }) => messages)]
  t.same(new Set(received.flatMap(({ messages }) => messages).map(({ name }) => name)), new Set(Object.keys(clientMessages)))
  t.same(new Set(sent.map(({ name }) => name)), new Set(Object.keys(serverMessages)))
})
