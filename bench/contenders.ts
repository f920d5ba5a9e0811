import { spawnSync } from 'node:child_process'
import type { Bounds } from '../src/bounds.ts'
import type { FastifyChatOptions } from '../src/index.ts'
import type { DialectName } from './generator/dialects.ts'

/** A server and the dialect of its clients. */
export interface Contender {
  readonly name: string
  readonly ours: boolean
  /** Name of a file in `servers/`. */
  readonly server: string
  /** Directory of the revision whose server is measured; this one by default. */
  readonly root?: string
  readonly options: object
  /** Number of servers that clients are distributed over; 1 by default. */
  readonly nodes?: number
  /** Whether the nodes share a Redis, whose socket is their option `redis`. */
  readonly redis?: true
  readonly dialect: DialectName
  readonly path: string
  /** The reason why the contender can't be measured. */
  readonly missing?: string | undefined
}

/** Disables the fixed bounds that would refuse the load of a benchmark. */
export const bounds: Partial<Bounds> = { controlRate: Infinity, replayRate: Infinity, handshakes: Infinity }

/** Disables the limits that would refuse the load of a benchmark. */
const limits: FastifyChatOptions['limits'] = {
  messageRate: Infinity,
  byteRate: Infinity,
  connections: Infinity,
  handshakeRate: Infinity
}

function ours (name: string, dialect: 'plain' | 'v1', path: string, options: FastifyChatOptions): Contender {
  return { name, ours: true, server: 'fastify-chat', dialect, path, options: { ...options, limits } }
}

const missingRedis = spawnSync('redis-server', ['--version']).error && 'redis-server is not installed'

export const plain = (name = 'plain', options: FastifyChatOptions = {}) => ours(name, 'plain', '/chat', options)
export const v1 = (name = 'v1', options: FastifyChatOptions = {}) => ours(name, 'v1', '/chat', options)
export const lmdb: Contender = { ...v1('lmdb'), options: { limits, storage: 'lmdb' } }
export const redis: Contender = { ...v1('redis, 2 nodes'), redis: true, nodes: 2, missing: missingRedis }
export const echo = ours('echo', 'plain', '/echo', {})

const control = { ours: false, options: {}, dialect: 'plain', path: '/' } as const

export const ws: Contender = { ...control, name: 'ws', server: 'ws' }
export const wsDeflate: Contender = { ...control, name: 'ws deflate', server: 'ws', options: { deflate: true } }
export const wsEcho: Contender = { ...control, name: 'ws echo', server: 'ws-echo' }
export const net: Contender = { ...control, name: 'net', server: 'net' }
export const socketIO: Contender = {
  ...control,
  name: 'Socket.IO',
  server: 'socket.io',
  dialect: 'socket.io',
  path: '/socket.io/?EIO=4&transport=websocket',
  missing: missingPackage('socket.io')
}
export const socketIOStreams: Contender = {
  ...socketIO,
  name: 'Socket.IO, 2 nodes',
  nodes: 2,
  redis: true,
  missing: socketIO.missing ?? missingPackage('@socket.io/redis-streams-adapter') ?? missingRedis
}

function missingPackage (name: string): string | undefined {
  try {
    import.meta.resolve(name)
    return undefined
  } catch {
    return 'not installed: run npm install in bench/'
  }
}
