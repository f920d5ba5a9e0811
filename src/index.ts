import '@fastify/websocket'
import * as errors from './errors.ts'
import plugin from './plugin.ts'
import { MemoryRoster } from './roster/memory.ts'
import { MemoryStore } from './store/memory.ts'

interface NamedExports {
  readonly default: typeof plugin
  readonly fastifyChat: typeof plugin
  readonly errors: typeof errors
  readonly MemoryRoster: typeof MemoryRoster
  readonly MemoryStore: typeof MemoryStore
}

/** Registers echo, chat and the page in a Fastify app. It is what `require()` gives, so it carries the named exports too. */
const fastifyChat: typeof plugin & NamedExports =
  Object.assign(plugin, { default: plugin, fastifyChat: plugin, errors, MemoryRoster, MemoryStore })

export { fastifyChat as default, fastifyChat, fastifyChat as 'module.exports', errors, MemoryRoster, MemoryStore }
export type { FastifyChatOptions, EchoOptions, ChatOptions, Limits, Reply, RouteOptions } from './options.ts'
export type { Chat, ChatEntry, ChatPage, HistoryQuery, Publication } from './chat.ts'
export type { ConnectionClosed, ConnectionOpened, DiagnosticsEvents, Membership, Posted, Refused } from './diagnostics.ts'
export type { Authenticated, AuthorizeQuestion, Hello, Hooks, PostDraft } from './hooks.ts'
export type { BanSubject, KickOptions, RestrictionOptions } from './moderation.ts'
export type { MetricsRegistry } from './metrics.ts'
export type { Origins } from './upgrade/origin.ts'
export type { MemoryRosterOptions } from './roster/memory.ts'
export type { Presence, Restriction, RestrictionsAt, Roster, Signal, TimedRestriction } from './roster/roster.ts'
export type { MemoryStoreOptions } from './store/memory.ts'
export type { ChatStore, Draft, Entry, Feed, Identity, Mark, Page, Position, Query } from './store/store.ts'
export type { Stats } from './tally.ts'
