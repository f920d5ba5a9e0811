import { Reactions } from '../reactions.ts'
import type { Change, Reaction } from '../../change.ts'

/**
 * Encodes the reactions of one entry: a line for each, which has the reaction and the ids of its members as JSON, separated by tabs. JSON
 * has no tab in a string.
 */
export function encodeReactions (reactions: Reactions | undefined): string {
  let text = ''
  if (reactions !== undefined) for (const [reaction, members] of reactions) text += `${[reaction, ...members].map((each) => JSON.stringify(each)).join('\t')}\n`
  return text
}

export function decodeReactions (text: string): Reactions | undefined {
  if (text === '') return undefined
  return new Reactions(linesOf(text).map((line) => {
    const [reaction, ...members] = line.split('\t').map((each) => JSON.parse(each) as string) as [string, ...string[]]
    return [reaction, members]
  }))
}

/**
 * Lists the encoded reactions of one entry, as `Reactions.list` does. Doesn't decode the ids of the members: those of one page may have
 * a megabyte.
 */
export function listReactions (text: string, member: string | undefined): Reaction[] {
  const wanted = member === undefined ? undefined : `\t${JSON.stringify(member)}`
  return linesOf(text).map((line) => {
    const ids = line.indexOf('\t')
    const reaction = JSON.parse(line.slice(0, ids)) as string
    let count = 0
    for (let id = ids; id !== -1; id = line.indexOf('\t', id + 1)) count++
    return wanted !== undefined && line.includes(wanted, ids) ? { reaction, count, mine: true } : { reaction, count }
  })
}

/** Returns the bytes by which a change that has an effect makes the encoded reactions of an entry longer. */
export function growthOfReactions (reactions: Reactions | undefined, change: Change, member: string | null): number {
  if ('delete' in change) return -Buffer.byteLength(encodeReactions(reactions))
  if (!('react' in change)) return 0
  const { react, on } = change
  // The first member of a reaction adds a line, with a line feed.
  const line = (reactions?.count(react) ?? 0) === (on ? 0 : 1) ? bytesOf(react) + 1 : 0
  return (line + bytesOf(member) + 1) * (on ? 1 : -1)
}

function linesOf (text: string): string[] { return text.split('\n').slice(0, -1) }

function bytesOf (text: string | null): number { return Buffer.byteLength(JSON.stringify(text)) }
