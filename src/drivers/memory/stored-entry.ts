import { copyString } from '../../copy-string.ts'
import { bodyCost, memberCost, stringCost } from '../../heap-cost.ts'
import { amended, stateOfDraft, type Changeable, type EntryState } from '../entry-state.ts'
import { changeCost } from './changes.ts'
import { keyCost } from './keys.ts'
import type { Amendment } from '../../change.ts'
import type { Draft, Member } from '../../store.ts'

/** An entry without its offset and position, which the log derives from the index of the entry. Times are ms since the log began. */
export interface StoredEntry extends Changeable {
  at: number
  readonly from: Member | null
  /** bytes of memory without reactions */
  readonly charge: number
  /** bytes of memory of reactions */
  readonly reactionCharge: number
}

/** Bytes of a stored entry without its content, and bytes of its slot in a ring that is a quarter full. */
const ENTRY = 80 + 32

/** Bytes of the state of an entry that changed or is streaming; of its reactions without their texts and members, with the state. */
const [STATE, REACTIONS] = [104, 352]

/** Bytes of the lease of a streaming entry. */
const LEASE = 72

/** Bytes of the leases of a room, without those of its entries. */
export const LEASES = 240

/** Bytes of a reaction's slot in a map; of a set without members, which a reaction has from two on; of a member's slot in a set. */
const [REACTION, SET, MEMBER] = [48, 100, 44]

/**
 * Returns the stored entry of a draft. The log sets its time. Copies slices, which would keep more memory than is charged.
 * @throws InvalidArgument
 */
export function storedEntry (draft: Draft): StoredEntry {
  const { from, body: given, data: text } = draft
  const body = typeof given === 'string' ? copyString(given) : given.byteLength === given.buffer.byteLength ? given : new Uint8Array(given)
  const data = text === undefined ? undefined : copyString(text)
  const state = stateOfDraft(draft)
  return { at: 0, from, body, data, charge: chargeOf(from, body, data, state), reactionCharge: 0, state }
}

/** Returns the maximum bytes of memory by which a draft grows a room. */
export function maxGrowth ({ charge, state }: StoredEntry, { key, hash }: Draft): number {
  return charge + (state === undefined ? 0 : LEASES) + (key === undefined ? 0 : keyCost(key, hash))
}

/**
 * Returns an entry after an amendment that has an effect on it.
 * @param amendment as `copied` returned it @param at time of the change, ms since the log began
 */
export function changedEntry (entry: StoredEntry, amendment: Amendment, number: number, at: number): StoredEntry & { readonly state: EntryState } {
  const reactionCharge = entry.reactionCharge + reactionGrowth(entry, amendment)
  const { body, data, state } = amended(entry, amendment, number, at)
  // `chargeOf` also makes the concatenation of an append flat: otherwise it would keep the texts that it consists of.
  const charge = 'react' in amendment.change ? entry.charge : chargeOf(entry.from, body, data, state)
  return { at: entry.at, from: entry.from, body, data, charge, reactionCharge, state }
}

/** Returns an amendment without slices, which would keep more memory than is charged. */
export function copied ({ by: member, change }: Amendment): Amendment {
  const by = member === null ? null : copyString(member)
  if ('delete' in change || 'end' in change) return { by, change }
  if ('react' in change) return { by, change: { react: copyString(change.react), on: change.on } }
  if ('append' in change) return { by, change: { append: copyString(change.append), at: change.at } }
  const { body, data } = change.edit
  return { by, change: { edit: data === undefined ? { body: copyString(body) } : { body: copyString(body), data: copyString(data) } } }
}

/** Returns the bytes by which an amendment grows the reactions of an entry. */
export function reactionGrowth ({ state, reactionCharge }: StoredEntry, { by, change }: Amendment): number {
  if ('delete' in change) return -reactionCharge
  if (!('react' in change)) return 0
  const count = state?.reactions?.count(change.react) ?? 0
  const member = stringCost(by ?? '')
  const reaction = REACTION + stringCost(change.react)
  if (change.on) return (reactionCharge === 0 ? REACTIONS : 0) + (count === 0 ? reaction : 0) + member + setCost(count + 1) - setCost(count)
  return -member - (count === 1 ? reaction : 0) + setCost(count - 1) - setCost(count)
}

/** Returns the bytes of the set of so many members, without their ids. */
function setCost (members: number): number { return members < 2 ? 0 : SET + MEMBER * members }

/**
 * Returns the maximum bytes of memory by which an amendment grows a room.
 * @param body of the entry; undefined if it isn't kept
 */
export function maxChangeGrowth ({ key, hash, by, change }: Amendment, body: string | Uint8Array | undefined): number {
  const cost = changeCost(key, hash) + STATE + stringCost('')
  if ('delete' in change || 'end' in change) return cost
  if ('react' in change) return cost + REACTIONS + REACTION + stringCost(change.react) + setCost(2) + stringCost(by ?? '')
  // A character above U+00FF makes the text so far take two bytes for every character.
  if ('append' in change) return cost + (body?.length ?? 0) + 2 * change.append.length
  const { edit } = change
  return cost + stringCost(edit.body) + (edit.data === undefined ? 0 : stringCost(edit.data))
}

function chargeOf (from: Member | null, body: string | Uint8Array, data: string | undefined, state: EntryState | undefined): number {
  const content = ENTRY + bodyCost(body) + memberCost(from) + (data === undefined ? 0 : stringCost(data))
  return state === undefined ? content : content + STATE + (state.streamed === undefined ? 0 : LEASE)
}
