import type { ChatClient } from '../client/index.ts'
import { SharedRoom, type SharedRoomOptions } from './shared-room.ts'

/** The rooms of each client by name. They belong to the client, because several providers may have it. */
const roomsOf = new WeakMap<ChatClient, Map<string, SharedRoom>>()

/** Returns a room that a component shows; undefined if none does. */
export function sharedRoom (client: ChatClient | undefined, name: string): SharedRoom | undefined {
  return client && roomsOf.get(client)?.get(name)
}

/** Adds a component to a room, and joins the room for the first one. Returns a function that removes the component. */
export function subscribeToRoom (client: ChatClient, name: string, options: SharedRoomOptions, listener: () => void): () => void {
  let rooms = roomsOf.get(client)
  if (rooms === undefined) roomsOf.set(client, rooms = new Map())
  let room = rooms.get(name)
  if (room === undefined) rooms.set(name, room = new SharedRoom(client, name, options, () => rooms.delete(name)))
  return room.subscribe(listener)
}
