import { copyString } from '../../copy-string.ts'
import { bodyCost, memberCost, stringCost } from '../../heap-cost.ts'
import { keyCost } from './keys.ts'
import type { Draft, Member } from '../../store.ts'

/** An entry without its offset and position, which the log derives from the index of the entry. */
export interface StoredEntry {
  /** ms since the log began */
  at: number
  readonly from: Member | null
  readonly body: string | Uint8Array
  readonly data: string | undefined
  /** bytes of memory */
  readonly charge: number
}

/** Bytes of a stored entry without its content, and bytes of its slot in a ring that is a quarter full. */
const ENTRY = 64 + 32

/** Returns the stored entry of a draft. The log sets its time. Copies slices, which would keep more memory than is charged. */
export function storedEntry ({ from, body: given, data: text }: Draft): StoredEntry {
  const body = typeof given === 'string' ? copyString(given) : given.byteLength === given.buffer.byteLength ? given : new Uint8Array(given)
  const data = text === undefined ? undefined : copyString(text)
  const charge = ENTRY + bodyCost(body) + memberCost(from) + (data === undefined ? 0 : stringCost(data))
  return { at: 0, from, body, data, charge }
}

/** Returns the maximum bytes of memory by which a draft grows a room. */
export function maxGrowth ({ charge }: StoredEntry, { key, hash }: Draft): number {
  return charge + (key === undefined ? 0 : keyCost(key, hash))
}
