/** The properties of a message. `?` after a name marks an optional one. */
type Shape = { readonly [property: string]: Kind }
type Kind = (value: unknown) => boolean

const text: Kind = (value) => typeof value === 'string'
const flag: Kind = (value) => typeof value === 'boolean'
const count: Kind = (value) => Number.isSafeInteger(value) && Number(value) >= 0
const room: Kind = (value) => text(value) && /^[A-Za-z0-9._:-]{1,64}$/.test(String(value))
const short = (most: number): Kind => (value) => text(value) && String(value).length >= 1 && String(value).length <= most
const position = short(128)
const revision = short(128)
const id = short(64)
const time: Kind = (value) => text(value) && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(String(value))
const base64: Kind = (value) => text(value) && /^[A-Za-z0-9+/]*={0,2}$/.test(String(value))
const any: Kind = () => true
const listOf = (kind: Kind): Kind => (value) => Array.isArray(value) && value.every(kind)
const object = (shape: Shape): Kind => (value) => typeof value === 'object' && value !== null && fault(shape, value) === undefined

const sender = object({ id: text, name: text })
const member = object({ id: text, name: text, 'data?': any })
const isTrue: Kind = (value) => value === true
const reaction = object({ reaction: text, count, 'mine?': flag })
const state: Shape = {
  'text?': text, 'data?': any, 'editedAt?': time, 'deleted?': isTrue, 'streaming?': isTrue, 'unfinished?': isTrue, 'reactions?': listOf(reaction)
}
const entry: Shape = {
  room, position, at: time, from: (value) => value === null || sender(value), 'bytes?': base64, 'revision?': revision, ...state
}
const appended = object({ at: count, text })
const change: Shape = { position, revision, ...state, 'appended?': appended, 'ended?': isTrue, 'whole?': isTrue }
const entries = listOf((value) => object(entry)(value) && hasContent(value as object))
const limits: Shape = { 'payload?': count, 'rooms?': count, 'rate?': count, 'burst?': count, 'byteRate?': count, 'byteBurst?': count }
const resumed: Shape = { 'revision?': revision, 'changes?': listOf(object(change)), 'oldest?': position }

const shapes: { readonly [type: string]: Shape } = {
  welcome: { member, session: text, limits: object(limits), heartbeat: count, 'features?': listOf(text) },
  joined: { room, members: listOf(member), count, 'stale?': isTrue, messages: entries, position, complete: flag, ...resumed, 'readPosition?': position, 'unread?': count },
  left: { room, 'code?': text, 'message?': text },
  message: entry,
  changed: { room, ...change },
  ack: { id, room, position, 'revision?': revision },
  history: { room, 'before?': position, 'after?': position, messages: entries, more: flag, complete: flag, 'revision?': revision },
  presence: { room, joined: listOf(member), left: listOf(member), count, 'stale?': isTrue },
  typing: { room, from: sender, 'on?': flag },
  signal: { room, from: sender, data: any },
  readPosition: { room, position },
  forgotten: { room },
  rooms: { id, rooms: listOf(object({ room, unread: count, position, 'last?': object(entry) })), 'next?': room },
  direct: { data: any },
  pong: { id },
  error: { code: text, message: text, 'request?': text, 'id?': id, 'room?': text, 'retryAfter?': count },
  draining: { reconnectIn: count }
}

/** Returns the fault of a message; undefined if it is valid, or of a type that PROTOCOL.md doesn't define. */
export function faultOf (message: Record<string, unknown>): string | undefined {
  const shape = shapes[String(message['type'])]
  if (shape === undefined) return undefined
  if (message['type'] === 'message' && !hasContent(message)) return 'a message must have either text or bytes'
  if (message['type'] === 'history' && ('before' in message) === ('after' in message)) return 'a history must have either before or after'
  return fault(shape, message)
}

function hasContent (message: object): boolean {
  return ('text' in message) !== ('bytes' in message)
}

function fault (shape: Shape, value: object): string | undefined {
  for (const [key, kind] of Object.entries(shape)) {
    const name = key.replace('?', '')
    if (!(name in value)) {
      if (name === key) return `'${name}' is missing`
    } else if (!kind((value as Record<string, unknown>)[name])) {
      return `'${name}' is invalid`
    }
  }
  return undefined
}
