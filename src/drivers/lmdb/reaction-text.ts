import { Reactions } from '../reactions.ts'
import type { Change } from '../../change.ts'

/** Encodes the reactions of one entry: a line of JSON for each, which has the reaction and its members. */
export function encodeReactions (reactions: Reactions | undefined): string {
  let text = ''
  if (reactions !== undefined) for (const [reaction, members] of reactions) text += `${JSON.stringify([reaction, ...members])}\n`
  return text
}

export function decodeReactions (text: string): Reactions | undefined {
  if (text === '') return undefined
  const lines = text.split('\n').slice(0, -1).map((line) => JSON.parse(line) as [reaction: string, ...members: string[]])
  return new Reactions(lines.map(([reaction, ...members]) => [reaction, members]))
}

/** Returns the bytes by which a change that has an effect makes the encoded reactions of an entry longer. */
export function growthOfReactions (reactions: Reactions | undefined, change: Change, member: string | null): number {
  if ('edit' in change) return 0
  if ('delete' in change) return -Buffer.byteLength(encodeReactions(reactions))
  const { react, on } = change
  // The first member of a reaction adds a line, with brackets and a line feed.
  const line = (reactions?.count(react) ?? 0) === (on ? 0 : 1) ? bytesOf(react) + 3 : 0
  return (line + bytesOf(member) + 1) * (on ? 1 : -1)
}

function bytesOf (text: string | null): number { return Buffer.byteLength(JSON.stringify(text)) }
