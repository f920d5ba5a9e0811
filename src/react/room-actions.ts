import { ChatError, type ClientRoom, type ClientTypes, type Timeline } from '../client/index.ts'
import type { SharedRoom } from './shared-room.ts'

/**
 * The methods of a room and its timeline. While the room isn't joined for the first time, those that return a promise reject with
 * `offline`, and the others do nothing.
 */
export interface RoomActions<Types extends ClientTypes = ClientTypes> extends
  Pick<ClientRoom<Types>, 'edit' | 'delete' | 'react' | 'unreact' | 'markRead'>,
  Pick<Timeline<Types>, 'loadOlder' | 'loadNewer' | 'jumpTo' | 'jumpToNewest' | 'follow' | 'retry' | 'discard' | 'dropEarlier'> {
  /** `post` of the room. `items` has the post at once, and shows whether it has failed. */
  post (...message: Parameters<ClientRoom<Types>['post']>): Promise<string>
  /** `typing` of the room: `typing` has the members that are typing. */
  reportTyping (on?: boolean): void
}

const notJoined = () => Promise.reject(new ChatError('offline', 'the room is not joined yet'))

/** Returns the actions of a room. @param shared returns the room; undefined if no component shows it */
export function roomActions (shared: () => SharedRoom | undefined): RoomActions {
  const room = () => shared()?.room
  const timeline = () => shared()?.timeline
  return {
    post: (...message) => room()?.post(...message) ?? notJoined(),
    edit: (...change) => room()?.edit(...change) ?? notJoined(),
    delete: (position) => room()?.delete(position) ?? notJoined(),
    react: (...reaction) => room()?.react(...reaction) ?? notJoined(),
    unreact: (...reaction) => room()?.unreact(...reaction) ?? notJoined(),
    reportTyping: (on) => room()?.typing(on),
    markRead: (position) => room()?.markRead(position),
    loadOlder: (limit) => timeline()?.loadOlder(limit) ?? notJoined(),
    loadNewer: (limit) => timeline()?.loadNewer(limit) ?? notJoined(),
    jumpTo: (position) => timeline()?.jumpTo(position) ?? notJoined(),
    jumpToNewest: () => timeline()?.jumpToNewest() ?? notJoined(),
    follow: (on) => timeline()?.follow(on),
    retry: (key) => timeline()?.retry(key),
    discard: (key) => timeline()?.discard(key),
    dropEarlier: () => timeline()?.dropEarlier()
  }
}
