import type { JoinQuery } from '../join-query.ts'
import type { Membership } from '../membership/membership.ts'
import { CloseCode } from '../../protocol.ts'
import type { Room } from '../room.ts'
import type { Roster } from '../../roster.ts'
import type { Rooms } from '../rooms.ts'

/** Where a peer enters and leaves rooms. */
export interface RoomsAndRoster { readonly rooms: Rooms, readonly roster: Roster }

/**
 * Enters a member in the roster and joins it to a room that was taken. Resolves when the answer to the join was written; missed
 * entries may follow. A failure after that closes the connection.
 * @param peer its id in the roster
 * @param onEntered called in the tick in which the room is open and the member has entered it
 */
export function enterRoom (
  membership: Membership, room: Room, peer: string, query: JoinQuery, context: RoomsAndRoster, onEntered: () => void
): Promise<void> {
  const { connection } = membership
  return new Promise((resolve, reject) => {
    let hasJoined = false
    room.join(membership, enter(membership, room, peer, context, onEntered), query, () => { hasJoined = true; resolve() }).then(resolve, (error: unknown) => {
      if (!hasJoined) return reject(error)
      connection.close(CloseCode.tryAgainLater, 'try again later', { err: error })
    })
  })
}

/** Removes a member that has entered a room from it. @param peer its id in the roster */
export function leaveRoom (membership: Membership, peer: string, { rooms, roster }: RoomsAndRoster): void {
  rooms.leave(membership)
  leaveRoster(membership, peer, roster)
}

/**
 * Resolves when the room is open and the member has entered it. If one of them fails, undoes the other and rejects as the store
 * or the roster does.
 */
async function enter (membership: Membership, room: Room, peer: string, { rooms, roster }: RoomsAndRoster, onEntered: () => void): Promise<void> {
  const { connection, forms } = membership
  const [opened, entered] = await Promise.allSettled([room.opened, roster.enter(room.name, peer, forms.listed)])
  if (opened.status === 'rejected' || entered.status === 'rejected') {
    rooms.release(room, connection.address.name)
    if (entered.status === 'fulfilled') leaveRoster(membership, peer, roster)
    throw (opened.status === 'rejected' ? opened : entered as PromiseRejectedResult).reason
  }
  onEntered()
}

function leaveRoster ({ connection, room }: Membership, peer: string, roster: Roster): void {
  roster.leave(room, peer)
    .catch((error: unknown) => connection.log.warn({ err: error, room }, 'could not remove the member from the roster'))
}
