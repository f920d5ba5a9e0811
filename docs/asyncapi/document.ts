import { stringify } from 'yaml'
import { clientMessages, definitions, serverMessages, type ClientMessage, type ServerMessage } from '../../src/messages.ts'
import { SUBPROTOCOL } from '../../src/protocol.ts'
import { closeCodes, errorCode } from './codes.ts'

/** The type of the answer to each message; undefined: only an `error` can be the answer. */
const answers: Record<ClientMessage['type'], ServerMessage['type'] | undefined> = {
  hello: 'welcome',
  join: 'joined',
  leave: 'left',
  post: 'ack',
  edit: 'ack',
  delete: 'ack',
  react: 'ack',
  typing: undefined,
  signal: undefined,
  history: 'history',
  markRead: undefined,
  rooms: 'rooms',
  forget: undefined,
  ping: 'pong'
}

/** Types of the messages that the server sends without a request. */
const notifications: Array<ServerMessage['type']> = ['joined', 'left', 'message', 'changed', 'presence', 'typing', 'signal', 'readPosition', 'forgotten', 'direct', 'draining']

interface Message { readonly key: string, readonly name: string, readonly summary: string, readonly payload: object }

const fromClient = Object.entries(clientMessages).map(([type, schema]) => message('client', type, schema))
const fromServer = Object.entries(serverMessages).map(([type, schema]) => message('server', type, schema))
const messages = [...fromClient, ...fromServer]

function message (direction: 'client' | 'server', name: string, schema: object): Message {
  const { description: summary, ...payload } = schema as { description: string }
  return { key: direction + name.charAt(0).toUpperCase() + name.slice(1), name, summary, payload: withReferences(payload) }
}

/** Returns a schema with references in place of the definitions within it. */
function withReferences (schema: object): object {
  const names = new Map(Object.entries(definitions).map(([name, definition]) => [JSON.stringify(definition), name]))
  return JSON.parse(JSON.stringify(schema, (key, value: unknown) => {
    const name = key === '' ? undefined : names.get(JSON.stringify(value))
    return name === undefined ? value : { $ref: `#/components/schemas/${name}` }
  })) as object
}

function byKey (messages: readonly Message[], value: (message: Message) => object): Record<string, object> {
  return Object.fromEntries(messages.map((message) => [message.key, value(message)]))
}

const channel = { $ref: '#/channels/chat' }

/** Returns references to the server's messages of these types. */
function references (types: ReadonlyArray<ServerMessage['type']>): object[] {
  return fromServer.filter(({ name }) => (types as readonly string[]).includes(name)).map(reference)
}

function reference ({ key }: Message): object {
  return { $ref: `#/channels/chat/messages/${key}` }
}

/** Returns the operations of the server: to receive each message, and to send without a request. */
function operations (): Record<string, object> {
  const receive = fromClient.map((message) => {
    const answer = answers[message.name as ClientMessage['type']]
    const reply = { channel, messages: references(answer === undefined ? ['error'] : [answer, 'error']) }
    return [message.name, { action: 'receive', channel, summary: message.summary, messages: [reference(message)], reply }] as const
  })
  const summary = 'Messages that are sent without a request'
  return { ...Object.fromEntries(receive), notify: { action: 'send', channel, summary, messages: references(notifications) } }
}

/** The handshake must request the subprotocol. */
const bindings = {
  ws: {
    method: 'GET',
    headers: {
      type: 'object',
      required: ['Sec-WebSocket-Protocol'],
      properties: {
        'Sec-WebSocket-Protocol': {
          type: 'string',
          description: `${SUBPROTOCOL}, alone or in a list separated by commas`,
          pattern: `^(.*,)?\\s*${SUBPROTOCOL.replaceAll('.', '\\.')}\\s*(,.*)?$`
        }
      }
    },
    bindingVersion: '0.1.0'
  }
}

/** Returns the content of asyncapi.yaml. */
export function asyncapi (): string {
  const document = {
    asyncapi: '3.0.0',
    info: {
      title: SUBPROTOCOL,
      version: '1.0.0',
      license: { name: 'MIT' },
      description: `Chat rooms over WebSocket: one JSON object in each text frame, under the subprotocol ${SUBPROTOCOL}.\n` +
        'PROTOCOL.md specifies the meaning and the order of the messages.\n'
    },
    defaultContentType: 'application/json',
    channels: {
      chat: {
        address: '/chat',
        title: 'The chat route',
        description: 'An app may serve it at another path.',
        messages: byKey(messages, ({ key }) => ({ $ref: `#/components/messages/${key}` })),
        bindings,
        'x-close-codes': closeCodes
      }
    },
    operations: operations(),
    components: {
      messages: byKey(messages, ({ key, name, summary }) => ({ name, summary, payload: { $ref: `#/components/schemas/${key}` } })),
      schemas: {
        ...byKey(messages, ({ payload }) => payload),
        ...Object.fromEntries(Object.entries(definitions).map(([name, definition]) => [name, withReferences(definition)])),
        errorCode
      }
    }
  }
  return '# Generated from src/messages.ts and src/protocol.ts by `npm run docs:asyncapi`.\n' +
    stringify(document, { aliasDuplicateObjects: false, lineWidth: 0, singleQuote: true })
}
