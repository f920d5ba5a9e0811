import t, { type Test } from 'tap'
import { Compile } from 'typebox/compile'
import { faultOf } from '../../conformance/shape.ts'
import { parseMessage } from '../../src/client/connection/server-message.ts'
import { clientMessages, serverMessages } from '../../src/messages.ts'
import { CloseCode, ErrorCode, SUBPROTOCOL, isTerminal } from '../../src/protocol.ts'
import { connect, type TestConnection } from '../../src/testing.ts'
import { build } from '../support/app.ts'
import { blocksOf, tableUnder } from '../support/markdown.ts'

type Direction = 'client' | 'server'
type Json = Record<string, unknown>
interface Schema { readonly required: string[], readonly properties: Record<string, Json> }

const messages: Record<Direction, Record<string, Schema>> = {
  client: asJson(clientMessages),
  server: asJson(serverMessages)
}
const validators: Record<Direction, Map<string, ReturnType<typeof Compile>>> = {
  client: new Map(Object.entries(clientMessages).map(([type, schema]) => [type, Compile(schema)])),
  server: new Map(Object.entries(serverMessages).map(([type, schema]) => [type, Compile(schema)]))
}

const file = 'docs/PROTOCOL.md'

/** Returns the plain JSON of a value: TypeBox's schemas have hidden properties. */
function asJson<T> (value: unknown): T {
  return JSON.parse(JSON.stringify(value)) as T
}

/** Returns the blocks with this info string. */
const blocks = (mark: string) => blocksOf(file).filter(({ info }) => info === mark)

/** Returns the messages in the blocks with this info string. */
const examplesIn = (mark: string) => blocks(mark).map(({ source }) => JSON.parse(source) as Json)

/** Returns the schema errors of a message. */
function faults (direction: Direction, message: Json): string[] {
  const validator = validators[direction].get(String(message['type']))
  if (validator === undefined) return [`no message of the ${direction}: ${String(message['type'])}`]
  return validator.Errors(message).map(({ instancePath, message }) => `${instancePath} ${message}`)
}

t.test('every example is a valid message of its direction', async (t) => {
  for (const direction of ['client', 'server'] as const) {
    const examples = examplesIn(`json ${direction}`)
    for (const example of examples) {
      t.same(faults(direction, example), [], `${direction}: ${JSON.stringify(example).slice(0, 60)}`)
      t.same(Object.keys(example).filter((name) => !(name in messages[direction][String(example['type'])]!.properties)), [], 'without unknown properties')
    }
    t.same(new Set(examples.map(({ type }) => type)), new Set(Object.keys(messages[direction])), `every message of the ${direction} has an example`)
  }
})

t.test('the client and the conformance suite accept every example of a server message', async (t) => {
  for (const example of examplesIn('json server')) {
    t.same(parseMessage(JSON.stringify(example)), example)
    t.equal(faultOf(example), undefined)
  }
})

t.test('the conformance suite rejects a message with a missing or wrong property', async (t) => {
  for (const example of examplesIn('json server')) {
    const { properties, required } = messages.server[String(example['type'])]!
    for (const name of Object.keys(properties).filter((name) => !['type', 'data'].includes(name))) {
      t.type(faultOf({ ...example, [name]: -1.5 }), 'string', name)
      const { [name]: _, ...rest } = example
      if (required.includes(name)) t.equal(faultOf(rest), `'${name}' is missing`)
    }
    if (example['type'] !== 'welcome') continue
    for (const name of Object.keys(properties['limits']!['properties']!)) {
      t.equal(faultOf({ ...example, limits: { [name]: -1.5 } }), "'limits' is invalid", name)
    }
  }
})

t.test('every interface has the properties of its schema', async (t) => {
  for (const direction of ['client', 'server'] as const) {
    const described = new Map(blocks(`ts ${direction}`).map(({ source }) => {
      const body = source.slice(0, source.indexOf('\n}'))
      const properties = [...body.matchAll(/^ {2}(\w+)(\??):/gm)].map(([, name, optional]) => `${name}${optional}`)
      return [/^ {2}type: '(\w+)'/m.exec(body)?.[1], properties.sort()]
    }))
    for (const [type, { properties, required }] of Object.entries(messages[direction])) {
      const wanted = Object.keys(properties).map((name) => required.includes(name) ? name : `${name}?`)
      t.same(described.get(type), wanted.sort(), `${direction}: ${type}`)
    }
  }
})

t.test("the table of errors matches the server's codes", async (t) => {
  t.same(tableUnder(file, '13. Errors').map(([code]) => code), Object.values(ErrorCode).map((code) => `\`${code}\``))
})

t.test('the table of close codes matches the codes of the server and the client', async (t) => {
  const rows = tableUnder(file, '14.1 Close codes')
  t.same(rows.map(([code]) => Number(code)), Object.values(CloseCode).sort((a, b) => a - b))
  for (const [code, , comeBack = ''] of rows) {
    t.equal(/^no\b/.test(comeBack), isTerminal(Number(code)), `${code}: ${comeBack}`)
    t.match(comeBack, /^(yes|no)\b/)
  }
})

t.test('every listing happens as written', async (t) => {
  for (const { heading, source } of blocks('frames')) {
    await t.test(heading, (t) => play(t, source.trimEnd().split('\n')))
  }
})

/** Values that a server generates: in a listing each stands for the received value, the same each time. */
const opaque = new Set(['id', 'position', 'readPosition', 'revision', 'after', 'before', 'since', 'session', 'at', 'editedAt', 'oldest'])

async function play (t: Test, lines: string[]): Promise<void> {
  const connections = new Map<string, TestConnection>()
  const actual = new Map<string, string>()
  let app = await build(t)

  for (const line of lines) {
    const [, frameOf, direction, frame] = /^(\w+) ([<>]) (.*)$/.exec(line) ?? []
    const [, who, deed] = /^(?:the )?(\w+) (.*)$/.exec(line) ?? []
    if (frameOf !== undefined) {
      const message = JSON.parse(frame!) as Json
      t.same(faults(direction === '>' ? 'client' : 'server', message), [], 'a message of its direction')
      if (direction === '>') say(connections.get(frameOf)!, message)
      else await hear(connections.get(frameOf)!, message, line)
    } else if (deed === 'connects') {
      connections.set(who!, await connect(app, '/chat', { protocol: SUBPROTOCOL }))
    } else if (deed === 'is disconnected') {
      connections.get(who!)!.socket.terminate()
    } else if (deed === 'restarts') {
      await app.close()
      app = await build(t)
    } else if (who === 'app') {
      await app.chat.clear(deed!.replace('clears ', ''))
    } else {
      t.equal(deed, 'receives nothing more', line)
    }
  }

  function say (connection: TestConnection, message: Json): void {
    if (typeof message['id'] === 'string') actual.set(message['id'], message['id'])
    connection.send(JSON.stringify(asItIs(message)))
  }

  async function hear (connection: TestConnection, expected: Json, line: string): Promise<void> {
    let message: Json
    do message = JSON.parse(String(await connection.next())) as Json
    while (message['type'] === 'presence')
    t.same(faults('server', message), [], "the server's message matches its schema")
    bind(expected, message)
    t.same(certain(message), certain(asItIs(expected)), line.slice(0, 60))
  }

  /** Stores the values that the server generated. */
  function bind (expected: unknown, seen: unknown, key = ''): void {
    if (typeof expected === 'string' && typeof seen === 'string') {
      if (!opaque.has(key) || actual.has(expected)) return
      t.ok(key === 'at' || key === 'editedAt' || ![...actual.values()].includes(seen), `a new ${key}`)
      actual.set(expected, seen)
    } else if (typeof expected === 'object' && expected !== null) {
      for (const [key, value] of Object.entries(expected)) bind(value, (seen as Json | null)?.[key], key)
    }
  }

  function asItIs (written: Json): Json {
    return JSON.parse(JSON.stringify(written), (key, value: unknown) =>
      opaque.has(key) && typeof value === 'string' ? actual.get(value) ?? value : value) as Json
  }
}

/** Removes the texts for users, and the member list, which may arrive later. */
function certain ({ type, ...rest }: Json): Json {
  const { message, members, count, ...others } = rest
  return { type, ...type === 'error' || type === 'joined' ? others : rest }
}
