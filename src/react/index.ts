'use client'

export { ChatProvider, useChatClient, type ChatProviderProps } from './chat-provider.ts'
export type { RoomActions } from './room-actions.ts'
export type { RoomSnapshot } from './shared-room.ts'
export { useRoom, type UseRoomOptions, type UseRoomResult } from './use-room.ts'
