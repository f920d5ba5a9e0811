import '@fastify/websocket'
import * as errors from './errors.ts'
import plugin from './plugin.ts'
import { MemoryStore } from './store/memory.ts'

interface NamedExports {
  readonly default: typeof plugin
  readonly fastifyChat: typeof plugin
  readonly errors: typeof errors
  readonly MemoryStore: typeof MemoryStore
}

/** Registers echo, chat and the page in a Fastify app. It is what `require()` gives, so it carries the named exports too. */
const fastifyChat: typeof plugin & NamedExports =
  Object.assign(plugin, { default: plugin, fastifyChat: plugin, errors, MemoryStore })

export { fastifyChat as default, fastifyChat, fastifyChat as 'module.exports', errors, MemoryStore }
export type { FastifyChatOptions, EchoOptions, ChatOptions, Limits, Reply, RouteOptions } from './options.ts'
export type { Chat, Publication } from './chat.ts'
export type { Origins } from './origins.ts'
export type { MemoryStoreOptions } from './store/memory.ts'
export type { ChatStore, Draft, Entry, Feed, Identity, Mark, Page, Position, Query } from './store/store.ts'
