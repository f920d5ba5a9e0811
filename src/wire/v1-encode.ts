import type { ServerMessage } from '../messages.ts'
import type { Format } from '../rooms/membership.ts'
import type { Entry, Member, Position } from '../store.ts'

/** An `ack`, by hand as entries are: there is one for each post. */
export function ack (id: string, room: string, position: Position): string {
  return `{"type":"ack","id":${JSON.stringify(id)},${placeJson(room, position)}}`
}

export const v1Format: Format = {
  entry: (room, entry) => `{"type":"message",${entryJson(room, entry)}}`,
  notice: (room, notice) => 'typing' in notice
    ? JSON.stringify({ type: 'typing', room, from: notice.typing } satisfies ServerMessage)
    : JSON.stringify({ type: 'presence', room, ...notice.presence } satisfies ServerMessage),
  joined (room, { entries, head, more, complete }, { members, count, stale }, member) {
    // Its own entering may not have been told yet; in a list that is capped it may be counted without being listed.
    const listed = members.some(({ id }) => id === member.id)
    const counted = listed || count > members.length
    const position = (more && complete ? entries.at(-1) : undefined)?.position ?? head.position
    return [`{"type":"joined","room":"${room}",` +
      `"members":${JSON.stringify(listed ? members : [...members, member])},"count":${counted ? count : count + 1},${stale ? '"stale":true,' : ''}` +
      `"messages":[${entries.map((entry) => `{${entryJson(room, entry)}}`).join(',')}],` +
      `"position":"${position}","complete":${complete}}`]
  }
}

/** The same, deflated in a batch. */
export const deflatedV1Format: Format = { ...v1Format, deflates: v1Format }

/** A `history`, its messages as those of `joined`. */
export function history (room: string, before: Position, { entries, more, complete }: {
  entries: readonly Entry[]
  more: boolean
  complete: boolean
}): string {
  const messages = complete ? entries.map((entry) => `{${entryJson(room, entry)}}`) : []
  return `{"type":"history","room":"${room}","before":${JSON.stringify(before)},` +
    `"messages":[${messages.join(',')}],"more":${complete && more},"complete":${complete}}`
}

/**
 * The properties of an entry. By hand, because JSON.stringify of the whole and the making of what it is given took a
 * fifth of the server's time in a busy room; and of few parts, because each that is added makes a string.
 */
function entryJson (room: string, { position, at, from, body, data }: Entry): string {
  const content = typeof body === 'string' ? `"text":${JSON.stringify(body)}` : `"bytes":"${Buffer.from(body).toString('base64')}"`
  const whole = placeJson(room, position) + timeJson(at) + identityJson(from) + content
  return data === undefined ? whole : `${whole},"data":${data}`
}

let lastRoom = ''
let lastRoomJson = ''

/** Many are of one room. Neither its name nor a store's position has anything to escape. */
function placeJson (room: string, position: Position): string {
  if (room !== lastRoom) {
    lastRoom = room
    lastRoomJson = `"room":"${room}","position":"`
  }
  return `${lastRoomJson}${position}"`
}

const NOBODY = ',"from":null,'

/** Identities remembered. A WeakMap would hold one for each identity that an entry keeps alive. */
const SPEAKERS = 10_000

/** One member's identity is one object for all it posts here. */
const identities = new Map<Member, string>()

function identityJson (identity: Member | null): string {
  if (identity === null) return NOBODY
  let json = identities.get(identity)
  if (json === undefined) {
    json = `,"from":${JSON.stringify({ id: identity.id, name: identity.name })},`
    if (identities.size === SPEAKERS) identities.clear()
    identities.set(identity, json)
  }
  return json
}

let lastAt = NaN
let lastTimeJson = ''

/** Many are of one millisecond. */
function timeJson (at: number): string {
  if (at !== lastAt) {
    lastAt = at
    lastTimeJson = `,"at":"${new Date(at).toISOString()}"`
  }
  return lastTimeJson
}
