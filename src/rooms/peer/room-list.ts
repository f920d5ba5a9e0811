import type { ChatMember } from '../../chat-member.ts'
import { StoreBusy } from '../../errors.ts'
import type { HeldPage } from '../replay/held-pages.ts'
import { may, type Hooks } from '../../hooks.ts'
import type { Membership } from '../membership/membership.ts'
import type { Reads } from '../reads/reads.ts'
import type { Rooms } from '../rooms.ts'
import type { Entry, Page, ReadPosition } from '../../store.ts'

/** Maximum number of rooms of a page, and of bytes of their newest messages. */
const [ROOMS, BYTES] = [50, 64 * 1024]

/** Number of rooms that are read, and for which the app is asked, at the same time. */
const CONCURRENT = 10

/** A room in which a member has a read position. last: its newest message; undefined if there is none. */
export interface ListedRoom extends Pick<ReadPosition, 'room' | 'position'> { readonly unread: number, readonly last: Entry | undefined }

/** next: the room after which the next page begins; undefined if there are no more. */
export interface RoomsPage { readonly rooms: readonly ListedRoom[], readonly next: string | undefined }

/** The member that requests its rooms. */
export interface RoomsRequester {
  readonly member: ChatMember
  readonly hooks: Hooks
  readonly rooms: Rooms
  /** Returns its membership in a room, on the connection of the request. */
  find (room: string): Membership | undefined
}

/** A room that the page has if the app allows it, and the membership of the requester when the room was read. */
interface Candidate { readonly listed: Omit<ListedRoom, 'last'>, readonly membership: Membership | undefined, questions: number, isAllowed: boolean }

/** The newest messages of the candidates, in their order. */
type Newest = Array<Entry | undefined>

/**
 * Reads a page of the rooms in which a member has a read position, in the order of their names. Calls `answer` with those that the app
 * allows the member to read, in the tick in which the member still may. Rejects as the store does.
 * @param after the room after which the page begins @param reader see `Membership.reader`
 * @throws HookFailed; StoreBusy if too many pages wait for the app
 */
export async function sendRooms (
  reads: Reads, after: string | undefined, reader: string | undefined, requester: RoomsRequester, answer: (page: RoomsPage) => void
): Promise<void> {
  const forgotten = new Set<string>()
  const stop = reads.onForget((room) => { forgotten.add(room) })
  try {
    const { candidates, newest, next } = await readPage(reads, after, reader, requester)
    const last = await askFor(candidates, requester).then(newest.take, (error: unknown) => {
      newest.take()
      throw error
    })
    if (last === undefined) throw new StoreBusy()
    const rooms = candidates.map(({ listed }, i) => ({ ...listed, last: last[i] }))
    const isListed = ({ isAllowed, membership, listed: { room } }: Candidate) => isAllowed && !isUnknown(membership) && !forgotten.has(room)
    answer({ rooms: rooms.filter((_, i) => isListed(candidates[i]!)), next })
  } finally {
    stop()
  }
}

async function readPage (
  reads: Reads, after: string | undefined, reader: string | undefined, requester: RoomsRequester
): Promise<{ readonly candidates: readonly Candidate[], readonly newest: HeldPage<Newest>, readonly next: string | undefined }> {
  const positions = await reads.list()
  const first = after === undefined ? 0 : positions.findIndex(({ room }) => room > after)
  const selected = first === -1 ? [] : positions.slice(first, first + ROOMS)
  const [candidates, newest] = await readRooms(selected, reader, requester)
  const last = candidates.at(-1)?.listed.room
  return {
    candidates,
    newest: requester.rooms.heldPages.hold(newest, newest.filter((entry) => entry !== undefined)),
    next: last === positions.at(-1)?.room ? undefined : last
  }
}

/** Reads rooms up to the one that exceeds the bytes. */
async function readRooms (
  positions: readonly ReadPosition[], reader: string | undefined, requester: RoomsRequester
): Promise<readonly [candidates: readonly Candidate[], newest: Newest]> {
  const { rooms } = requester
  const candidates: Candidate[] = []
  const newest: Newest = []
  let bytes = 0
  for (let start = 0; start < positions.length; start += CONCURRENT) {
    const group = positions.slice(start, start + CONCURRENT)
    await rooms.turns.wait(group.length)
    const read = await Promise.all(group.map(async ({ room, position }) => {
      const membership = requester.find(room)
      const { questions = 0 } = membership ?? {}
      const page = await rooms.read(room, { limit: 1, maxBytes: BYTES, readPosition: position, for: reader, use: false })
      return { membership, questions, page, room, position }
    }))
    for (const { membership, questions, page, room, position } of read) {
      const last = newestOf(page, reader)
      bytes += last === undefined ? 0 : sizeOf(last)
      if (bytes > BYTES && candidates.length > 0) return [candidates, newest]
      candidates.push({ listed: { room, position, unread: page.unread! }, membership, questions, isAllowed: false })
      newest.push(last)
    }
  }
  return [candidates, newest]
}

/** Calls `authorize` for each room. Calls it again for rooms in which the rights of the member were in question meanwhile. */
async function askFor (candidates: readonly Candidate[], { member, hooks }: RoomsRequester): Promise<void> {
  for (let unasked = candidates; unasked.length > 0; unasked = candidates.filter(isInQuestion)) {
    // A call that the app doesn't settle takes 5 KB.
    for (let start = 0; start < unasked.length; start += CONCURRENT) {
      await Promise.all(unasked.slice(start, start + CONCURRENT).map(async (each) => {
        const { membership, listed: { room } } = each
        while (membership?.isSuspended === true && !hasLeft(membership)) await membership.rightsKnown
        each.questions = membership?.questions ?? 0
        each.isAllowed = await may(hooks, { member, action: 'history', room })
      }))
    }
  }
}

/** Returns whether the rights of the member are in question, or were in question since `authorize` was called. */
function isInQuestion ({ membership, questions }: Candidate): boolean {
  return membership !== undefined && !hasLeft(membership) && (membership.isSuspended || membership.questions !== questions)
}

/** Returns whether the rights of the member were in question when it was removed or left. `authorize` wasn't called since then. */
function isUnknown (membership: Membership | undefined): boolean {
  return membership !== undefined && (membership.isRefused || (membership.hasEnded && membership.isSuspended))
}

function hasLeft ({ isRefused, hasEnded }: Membership): boolean { return isRefused || hasEnded }

/** Returns the newest message that the client receives. */
function newestOf ({ entries: [entry] }: Page, reader: string | undefined): Entry | undefined {
  return entry?.streaming === true && reader === undefined ? undefined : entry
}

function sizeOf ({ body, data = '' }: Entry): number { return Buffer.byteLength(body) + Buffer.byteLength(data) }
