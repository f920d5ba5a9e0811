import { channel } from 'node:diagnostics_channel'
import type { Member } from '../store.ts'

/** chat: its prefix. connection: the same object in every event of a connection, for a WeakMap of one's own. */
interface OfConnection { readonly chat: string, readonly connection: object }

/** address: empty where it is not known. protocol: empty for none. */
export interface ConnectionOpened extends OfConnection {
  readonly path: string
  readonly address: string
  readonly protocol: string
}

/** cutOff: why this side ended it, where it did. duration: ms. */
export interface ConnectionClosed extends OfConnection {
  readonly code: number
  readonly reason: string
  readonly cutOff: string | undefined
  readonly duration: number
}

export interface MembershipChanged extends OfConnection { readonly member: Member, readonly room: string }

/** Stored from here. from: null for the app itself. */
export interface Posted {
  readonly chat: string
  readonly room: string
  readonly from: Member | null
  readonly position: string
}

/** reason: as `app.chat.stats()` counts it. message: what the client was told. */
export interface Refused { readonly chat: string, readonly reason: string, readonly message: string }

/** What is published through `node:diagnostics_channel`, by channel. */
export interface DiagnosticsEvents {
  'fastify-chat:connection.open': ConnectionOpened
  'fastify-chat:connection.close': ConnectionClosed
  'fastify-chat:member.join': MembershipChanged
  'fastify-chat:member.leave': MembershipChanged
  'fastify-chat:post': Posted
  'fastify-chat:refusal': Refused
}

/** hasSubscribers: whether an event need be made at all. */
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
