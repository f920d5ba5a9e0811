import type { Reaction } from '../change.ts'
import type { Format } from '../rooms/batch/format.ts'
import { ownReactions, wholeChange, type MergedChange, type OwnReactions } from '../rooms/batch/merged-change.ts'
import type { Entry, Page } from '../store.ts'
import { deflated, deflatedV1Encoding, entryJson, historyJson, joinedJson, positionJson, roomsJson, v1Encoding, type V1Encoding } from './v1-encode.ts'

const { format: v1Format } = v1Encoding

const v1ChangesFormat: Format = {
  ...v1Format,
  withoutChanges: v1Format,
  entry: (room, entry) => `{"type":"message",${stateJson(room, entry)}}`,
  change: (room, change, own) => `{"type":"changed",${positionJson(room, change.position)},${changeJson(change, own)}}`,
  joined: (room, page, presence, member) => [`{${joinedJson(room, page, presence, member, stateJson)},${changesJson(page)}}`]
}

/** For clients that understand changes. */
export const v1ChangesEncoding: V1Encoding = {
  format: v1ChangesFormat,
  history: (request, page) => `{${historyJson(request, page, stateJson)},"revision":"${page.revision}"}`,
  rooms: (id, page) => roomsJson(id, page, stateJson)
}

const deflatedV1ChangesEncoding = deflated(v1ChangesEncoding, deflatedV1Encoding.format)

/** Returns the encoding for a client. @param changes whether it understands changes @param deflate whether it accepts deflated frames */
export function v1EncodingFor (changes: boolean, deflate: boolean): V1Encoding {
  if (changes) return deflate ? deflatedV1ChangesEncoding : v1ChangesEncoding
  return deflate ? deflatedV1Encoding : v1Encoding
}

/** Returns the properties of an entry and of its state as JSON. */
function stateJson (room: string, entry: Entry): string {
  const { revision, editedAt, deleted, streaming, reactions } = entry
  const json = entryJson(room, entry)
  if (revision === undefined) return streaming === true ? `${json},"streaming":true` : json
  return `${json},"revision":"${revision}"${editedJson(editedAt)}${deleted === true ? ',"deleted":true' : ''}${streamJson(entry)}` +
    (reactions === undefined ? '' : `,"reactions":${JSON.stringify(reactions)}`)
}

/** Returns the changes of a page as JSON. */
function changesJson ({ revision, changed, oldest }: Page): string {
  const changes = changed.map((entry) => `{"position":"${entry.position}",${changeJson(wholeChange(entry), ownReactions(entry))}}`)
  return `"revision":"${revision}","changes":[${changes.join(',')}]${oldest === undefined ? '' : `,"oldest":"${oldest}"`}`
}

/** Returns the properties of a change as JSON, apart from its position. */
function changeJson ({ revision, whole, deleted, edit, appended, ended, unfinished, reactions }: MergedChange, own: OwnReactions | undefined): string {
  const start = `"revision":"${revision}"`
  if (deleted === true || whole?.deleted === true) return `${start},"deleted":true`
  if (whole !== undefined) {
    const text = typeof whole.body === 'string' ? contentJson(whole.body, whole.data) : ''
    return `${start}${text}${editedJson(whole.editedAt)}${streamJson(whole)},"reactions":${reactionsJson(whole.reactions ?? [], own)},"whole":true`
  }
  const counts = reactions && [...reactions].map(([reaction, count]) => ({ reaction, count }))
  return start + (edit === undefined ? '' : contentJson(edit.body, edit.data) + editedJson(edit.at)) +
    (appended === undefined ? '' : `,"appended":{"at":${appended.at},"text":${JSON.stringify(appended.text)}}`) +
    (ended === undefined ? '' : `,"ended":true${streamJson({ unfinished })}`) +
    (counts === undefined ? '' : `,"reactions":${reactionsJson(counts, own)}`)
}

function contentJson (body: string, data: string | undefined): string {
  return `,"text":${JSON.stringify(body)}${data === undefined ? '' : `,"data":${data}`}`
}

function streamJson ({ streaming, unfinished }: Pick<Entry, 'streaming' | 'unfinished'>): string {
  return (streaming === true ? ',"streaming":true' : '') + (unfinished === true ? ',"unfinished":true' : '')
}

function editedJson (at: number | undefined): string {
  return at === undefined ? '' : `,"editedAt":"${new Date(at).toISOString()}"`
}

/** @param own the receiver's reactions; the others are left as the receiver knows them */
function reactionsJson (reactions: readonly Reaction[], own: OwnReactions | undefined): string {
  return JSON.stringify(reactions.map(({ reaction, count }) => ({ reaction, count, mine: own?.get(reaction) })))
}
