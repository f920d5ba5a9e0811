import '@fastify/websocket'

export { default, default as fastifyChat } from './plugin.ts'
export type { FastifyChatOptions, EchoOptions, ChatOptions, Limits, Reply } from './options.ts'
export type { Chat, Publication } from './chat.ts'
export type { Origins } from './origins.ts'

export * as errors from './errors.ts'

export { MemoryStore, type MemoryStoreOptions } from './store/memory.ts'
export type { ChatStore, Draft, Entry, Feed, Identity, Mark, Page, Position, Query } from './store/store.ts'
