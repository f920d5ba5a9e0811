import '@fastify/websocket'
import * as errors from './errors.ts'
import plugin from './plugin.ts'
import { memory } from './drivers/memory/backend.ts'

interface NamedExports {
  readonly default: typeof plugin
  readonly fastifyChat: typeof plugin
  readonly errors: typeof errors
  readonly memory: typeof memory
}

/** Registers echo, chat and the page in a Fastify app. `require()` returns it, so the named exports are its properties. */
const fastifyChat: typeof plugin & NamedExports =
  Object.assign(plugin, { default: plugin, fastifyChat: plugin, errors, memory })

export { fastifyChat as default, fastifyChat, fastifyChat as 'module.exports', errors, memory }
export type { FastifyChatOptions, EchoOptions, ChatOptions, Limits, Reply, RouteOptions, MetricsRegistry, Origins } from './options.ts'
export type { ChatChange, ReportedChange } from './chat-change.ts'
export type { ChatEntry, MessageContent } from './chat-entry.ts'
export type { Edit, MessagesOfMember, ReactOptions } from './chat/changes.ts'
export type { Chat } from './chat/chat.ts'
export type { ChatMember } from './chat-member.ts'
export type * from './chat-types.ts'
export type { ChatPage, HistoryQuery } from './chat/history.ts'
export type { RoomMembers } from './chat/people.ts'
export type { TextStream } from './chat/text-stream.ts'
export type { UnreadQuery, UnreadRoom } from './chat/unread.ts'
export type { ConnectionClosed, ConnectionOpened, DiagnosticsEvents, MembershipChanged, Posted, Refused } from './observability/diagnostics.ts'
export type { Authenticated, AuthorizeQuestion, Hello, Hooks, PostDraft, PrePosted } from './hooks.ts'
export type { Publication, WriteStreamOptions } from './chat/publication.ts'
export type { Reauthorization, RemovalOptions } from './chat/member-rights.ts'
export type { BanSubject, KickOptions, RestrictionOptions } from './chat/moderation.ts'
export type { Presence, PresentMember, Restriction, RestrictionsAt, Roster, Signal, TimedRestriction } from './roster.ts'
export type { MemoryOptions } from './drivers/memory/backend.ts'
export type { Backend, OpenBackend } from './backend.ts'
export type { Amended, Amendment, Change, ChangeCursor, Changed, ChangedPage, Control, Controlled, Head, Reaction, Revision } from './change.ts'
export type { Appended, Store, Draft, Entry, Feed, FeedPage, Member, Cursor, Page, Position, Query, ReadPosition } from './store.ts'
export type { Stats } from './observability/stats.ts'
