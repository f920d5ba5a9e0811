import { useCallback, useMemo, useSyncExternalStore } from 'react'
import type { ChatClient, ClientTypes, Status } from '../client/index.ts'
import { useChatClient } from './chat-provider.ts'
import { roomActions, type RoomActions } from './room-actions.ts'
import { EMPTY, type RoomSnapshot, type SharedRoomOptions } from './shared-room.ts'
import { sharedRoom, subscribeToRoom } from './shared-rooms.ts'

/** The options of the component that joins the room apply to all components. Later changes have no effect. */
export type UseRoomOptions = SharedRoomOptions

export interface UseRoomResult<Types extends ClientTypes = ClientTypes> extends RoomSnapshot<Types>, RoomActions<Types> {
  /** `status` of the client. */
  readonly status: ChatClient<Types>['status']
}

/** The status before there is a client. */
const CONNECTING: Status = { state: 'connecting' }

const unsubscribed = () => { /* there is no client yet */ }

/**
 * Joins a room while the component is mounted, and renders the component again when the room or the status of the client changes.
 * All components with the same client share the room and its timeline. The room is left when the last one is unmounted.
 * The actions stay the same functions until the name or the client changes.
 * @throws Error without a `ChatProvider`. A join that is refused sets `error`
 */
export function useRoom<Types extends ClientTypes = ClientTypes> (name: string, { history, size }: UseRoomOptions = {}): UseRoomResult<Types> {
  const client = useChatClient()
  const subscribe = useCallback((listener: () => void) => {
    return client === undefined ? unsubscribed : subscribeToRoom(client, name, { history, size }, listener)
  }, [client, name, history, size])
  const snapshot = useSyncExternalStore(subscribe, () => sharedRoom(client, name)?.snapshot ?? EMPTY, () => EMPTY)

  const subscribeToStatus = useCallback((listener: () => void) => client?.on('status', listener) ?? unsubscribed, [client])
  const status = useSyncExternalStore(subscribeToStatus, () => client?.status ?? CONNECTING, () => CONNECTING)

  const actions = useMemo(() => roomActions(() => sharedRoom(client, name)), [client, name])
  return useMemo(() => ({ ...snapshot, ...actions, status }) as UseRoomResult<Types>, [snapshot, actions, status])
}
