import { createHash } from 'node:crypto'
import type { PresentMember } from '../../../roster.ts'

/** Characters of a tag: 132 bits, so that nobody can make a text with the tag of another one. */
const TAG_LENGTH = 22

/** The data of members, by tag. */
export type TaggedData = ReadonlyMap<string, string>

/**
 * Returns a member as it is stored, after the number of its nodes: a space and its name. In front of the space there are, if it
 * has data, a colon, the tag of the data, a colon and the data without spaces. Nodes of earlier versions read only the number
 * and what follows the first space.
 */
export function encodeMember ({ name, data }: PresentMember): string {
  return data === undefined ? ` ${name}` : `:${tagOf(data)}:${data.replace(/[ %]/g, encodeURIComponent)} ${name}`
}

/** Returns a stored member. Its data may be absent if it is known by its tag. @param keep called with data; returns it */
export function decodeMember (id: string, stored: string, known: TaggedData, keep: (tag: string, data: string) => string): PresentMember {
  const space = stored.indexOf(' ')
  const name = stored.slice(space + 1)
  const start = stored.indexOf(':') + 1
  if (start === 0 || start > space) return { id, name }
  const end = start + TAG_LENGTH
  const tag = stored.slice(start, end)
  const text = end < space ? stored.slice(end + 1, space).replace(/%2[05]/g, decodeURIComponent) : known.get(tag)
  return text === undefined ? { id, name } : { id, name, data: keep(tag, text) }
}

function tagOf (data: string): string {
  return createHash('sha256').update(data).digest('base64url').slice(0, TAG_LENGTH)
}
