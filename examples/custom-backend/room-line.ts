import type { Change, Entry } from 'fastify-chat'
import type { ChangesLine } from './room-changes.ts'
import type { Key } from './room-keys.ts'

/** An entry as a line of a file. `number`: of its last change. `bytes`: a binary body, in base64. `reactions`: with their members. */
export type EntryLine = Omit<Entry, 'position' | 'revision' | 'body' | 'reactions'> & {
  readonly body?: string
  readonly bytes?: string
  readonly number?: number | undefined
  readonly reactions?: ReadonlyArray<readonly [reaction: string, members: readonly string[]]>
}

/** A change as a line of a file. */
export interface ChangeLine {
  readonly number: number
  readonly offset: number
  readonly at: number
  readonly by: string | null
  readonly change: Change
  readonly key?: string | undefined
  readonly hash?: string | undefined
}

/** A line of a file. The first one has `epoch`. */
export interface Line {
  readonly epoch?: string
  /** offset of the entry before the first one */
  readonly base?: number
  readonly forgotten?: number
  readonly changes?: ChangesLine
  /** number of the newest change of a removed entry */
  readonly removed?: number
  readonly key?: Key
  readonly entry?: EntryLine
  readonly change?: ChangeLine
  /** A control. */
  readonly control?: { readonly at: number }
  /** The key of an edit without an effect. */
  readonly idle?: { readonly key: string, readonly hash: string | undefined }
}

export function textOf (line: Line): string { return `${JSON.stringify(line)}\n` }
