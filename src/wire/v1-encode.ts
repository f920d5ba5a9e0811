import { deflatedFraming } from '../connection/deflate.ts'
import { webSocketFraming } from '../connection/frame.ts'
import type { ClientMessage, ServerMessage } from '../messages.ts'
import type { Format, JoinedPage } from '../rooms/batch/format.ts'
import type { PresenceDiff } from '../rooms/batch/presence-diff.ts'
import type { RoomsPage } from '../rooms/peer/room-list.ts'
import type { MemberSignal } from '../rooms/batch/signal.ts'
import type { Presence, PresentMember } from '../roster.ts'
import type { Entry, Member, Page, Position } from '../store.ts'

const v1Format: Format = {
  framing: webSocketFraming,
  entry: (room, entry) => `{"type":"message",${entryJson(room, entry)}}`,
  signal: (room, signal) => 'presence' in signal ? presenceJson(room, signal.presence) : signalJson(room, signal),
  /** Built by hand, as entries are, because every post is acknowledged. */
  ack (room, id, position, revision) {
    const ack = `{"type":"ack","id":${JSON.stringify(id)},`
    // The position of a change is that of the request. The store doesn't compare it if it knows the id already.
    return revision === undefined
      ? `${ack}${positionJson(room, position)}}`
      : `${ack}"room":"${room}","position":${JSON.stringify(position)},"revision":"${revision}"}`
  },
  joined: (room, page, presence, member) => [`{${joinedJson(room, page, presence, member, entryJson)}}`],
  read: (room, position) => `{"type":"readPosition",${positionJson(room, position)}}`,
  forgotten: (room) => `{"type":"forgotten","room":"${room}"}`,
  left: (room, code, message) => JSON.stringify({ type: 'left', room, code, message } satisfies ServerMessage)
}

export type HistoryRequest = Extract<ClientMessage, { type: 'history' }>

/** Encodes the messages of rooms for one kind of client. */
export interface V1Encoding {
  readonly format: Format
  /** Returns the answer to a `history`, with messages as in `joined`. */
  history (request: HistoryRequest, page: Page): string
  /** Returns a `rooms`, with messages as in `joined`. @param id of the request */
  rooms (id: string, page: RoomsPage): string
}

/** For clients that don't understand changes. */
export const v1Encoding: V1Encoding = {
  format: v1Format,
  history: (request, page) => `{${historyJson(request, page, entryJson)}}`,
  rooms: (id, page) => roomsJson(id, page, entryJson)
}

/** For clients without changes that accept deflated frames. */
export const deflatedV1Encoding = deflated(v1Encoding)

/** Returns an encoding whose batches are deflated. @param withoutChanges of its format */
export function deflated (encoding: V1Encoding, withoutChanges?: Format): V1Encoding {
  const { format } = encoding
  return { ...encoding, format: { ...format, framing: deflatedFraming, sameEntriesAs: format, ...withoutChanges && { withoutChanges } } }
}

/** Returns the properties of an entry as JSON. */
export type EntryJson = (room: string, entry: Entry) => string

/** Returns the properties of a `joined` as JSON. */
export function joinedJson (
  room: string, { entries, position, complete, readPosition, unread }: JoinedPage, { members, count, stale }: Presence, member: PresentMember, json: EntryJson
): string {
  // A capped list counts the joining member, but may not list it.
  const listed = members.some(({ id }) => id === member.id)
  return `"type":"joined","room":"${room}",` +
    `"members":${membersJson(listed ? members : [...members, member])},"count":${count},${stale ? '"stale":true,' : ''}` +
    `"messages":[${messagesJson(room, entries, json)}],"position":"${position}","complete":${complete}` +
    (readPosition === undefined || unread === undefined ? '' : `,"readPosition":"${readPosition}","unread":${unread}`)
}

/** Returns a `typing` or a `signal`. */
function signalJson (room: string, signal: MemberSignal): string {
  return 'typing' in signal
    ? `{"type":"typing","room":"${room}","from":${memberJson(signal.typing)}${signal.on ? '' : ',"on":false'}}`
    : `{"type":"signal","room":"${room}","from":${memberJson(signal.from)},"data":${signal.data}}`
}

/** Returns a `presence`. Members that left are sent without data. */
function presenceJson (room: string, { joined, left, count, stale }: PresenceDiff): string {
  return `{"type":"presence","room":"${room}","joined":${membersJson(joined)},` +
    `"left":[${left.map(memberJson).join(',')}],"count":${count}${stale === true ? ',"stale":true' : ''}}`
}

/** Returns members as JSON. Their data is JSON already. */
function membersJson (members: readonly PresentMember[]): string {
  if (members.every(({ data }) => data === undefined)) return JSON.stringify(members)
  return `[${members.map((member) => {
    const json = memberJson(member)
    return member.data === undefined ? json : `${json.slice(0, -1)},"data":${member.data}}`
  }).join(',')}]`
}

/** Returns the id and the name of a member as JSON. */
function memberJson ({ id, name }: Member): string { return JSON.stringify({ id, name }) }

/** Returns the properties of a `history` as JSON. */
export function historyJson ({ room, before, after }: HistoryRequest, { entries, more, complete }: Page, json: EntryJson): string {
  const side = before === undefined ? `"after":${JSON.stringify(after)}` : `"before":${JSON.stringify(before)}`
  return `"type":"history","room":"${room}",${side},` +
    `"messages":[${complete ? messagesJson(room, entries, json) : ''}],"more":${complete && more},"complete":${complete}`
}

/** Returns a `rooms`. */
export function roomsJson (id: string, { rooms, next }: RoomsPage, json: EntryJson): string {
  const items = rooms.map(({ room, unread, position, last }) => {
    return `{"room":"${room}","unread":${unread},"position":"${position}"${last === undefined ? '' : `,"last":{${json(room, last)}}`}}`
  })
  return `{"type":"rooms","id":${JSON.stringify(id)},"rooms":[${items.join(',')}]${next === undefined ? '' : `,"next":"${next}"`}}`
}

function messagesJson (room: string, entries: readonly Entry[], json: EntryJson): string {
  return entries.map((entry) => `{${json(room, entry)}}`).join(',')
}

/**
 * Returns the properties of an entry as JSON. Built by hand, because JSON.stringify and the object that it needs took a
 * fifth of the server's time in a busy room. Concatenates few parts, because each concatenation creates a string.
 */
export function entryJson (room: string, { position, at, from, body, data }: Entry): string {
  const content = typeof body === 'string' ? `"text":${JSON.stringify(body)}` : `"bytes":"${Buffer.from(body).toString('base64')}"`
  const whole = positionJson(room, position) + timeJson(at) + senderJson(from) + content
  return data === undefined ? whole : `${whole},"data":${data}`
}

let lastRoom = ''
let lastRoomJson = ''

/** Caches the JSON of the last room, because many entries share it. Room names and positions need no escaping. */
export function positionJson (room: string, position: Position): string {
  if (room !== lastRoom) {
    lastRoom = room
    lastRoomJson = `"room":"${room}","position":"`
  }
  return `${lastRoomJson}${position}"`
}

const NO_SENDER = ',"from":null,'

/** Maximum number of cached members. A WeakMap would have an item for every member that an entry keeps alive. */
const MAX_SENDERS = 10_000

/** JSON by member. All posts of a peer have the same member object. */
const senders = new Map<Member, string>()

function senderJson (sender: Member | null): string {
  if (sender === null) return NO_SENDER
  let json = senders.get(sender)
  if (json === undefined) {
    json = `,"from":${memberJson(sender)},`
    if (senders.size === MAX_SENDERS) senders.clear()
    senders.set(sender, json)
  }
  return json
}

let lastAt = NaN
let lastTimeJson = ''

/** Caches the JSON of the last time, because many entries share a millisecond. */
function timeJson (at: number): string {
  if (at !== lastAt) {
    lastAt = at
    lastTimeJson = `,"at":"${new Date(at).toISOString()}"`
  }
  return lastTimeJson
}
