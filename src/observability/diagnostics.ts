import { channel } from 'node:diagnostics_channel'
import type { Member } from '../store.ts'

/** chat: the chat's prefix. connection: the same object in all events of a connection, for use as a WeakMap key. */
interface OfConnection { readonly chat: string, readonly connection: object }

/** address: empty if unknown. protocol: the subprotocol; empty for none. */
export interface ConnectionOpened extends OfConnection {
  readonly path: string
  readonly address: string
  readonly protocol: string
}

/** disconnect: reason of a disconnect by the server; undefined if the client ended the connection, or the server was stopping. duration: ms. */
export interface ConnectionClosed extends OfConnection {
  readonly code: number
  readonly reason: string
  readonly disconnect: string | undefined
  readonly duration: number
}

/** A connection has joined or left a room. */
export interface MembershipChanged extends OfConnection { readonly member: Member, readonly room: string }

/** A message stored by this process. from: null for the app. */
export interface Posted {
  readonly chat: string
  readonly room: string
  readonly from: Member | null
  readonly position: string
}

/** reason: as in `app.chat.stats()`. message: text of the error. */
export interface Refused { readonly chat: string, readonly reason: string, readonly message: string }

/** Events published through `node:diagnostics_channel`, by channel. */
export interface DiagnosticsEvents {
  'fastify-chat:connection.open': ConnectionOpened
  'fastify-chat:connection.close': ConnectionClosed
  'fastify-chat:member.join': MembershipChanged
  'fastify-chat:member.leave': MembershipChanged
  'fastify-chat:post': Posted
  'fastify-chat:refusal': Refused
}

/** A diagnostics channel. hasSubscribers: if false, no event has to be created. */
interface Channel<Event> { readonly hasSubscribers: boolean, publish (event: Event): void }

function named<Name extends keyof DiagnosticsEvents> (name: Name): Channel<DiagnosticsEvents[Name]> {
  return channel(name)
}

export const diagnostics = {
  opened: named('fastify-chat:connection.open'),
  closed: named('fastify-chat:connection.close'),
  joined: named('fastify-chat:member.join'),
  left: named('fastify-chat:member.leave'),
  posted: named('fastify-chat:post'),
  refused: named('fastify-chat:refusal')
}
