import { spawnSync } from 'node:child_process'
import type { Bounds } from '../src/bounds.ts'
import type { FastifyChatOptions } from '../src/index.ts'
import type { DialectName } from './generator/dialects.ts'

/** What a row of a load measures. */
export interface Contender {
  readonly name: string
  readonly ours: boolean
  /** Directory of the revision that is measured; this one by default. */
  readonly root?: string
  /** The reason why the contender can't be measured. */
  readonly missing?: string | undefined
}

/** A program, or a plugin, whose start is measured. */
export interface Program extends Contender {
  /** Path of a JavaScript file from the directory of the project. */
  readonly file: string
  readonly arguments: readonly string[]
}

/** A server and the dialect of its clients. */
export interface Server extends Contender {
  /** Name of a file in `servers/`. */
  readonly server: string
  readonly options: object
  /** Number of servers that clients are distributed over; 1 by default. */
  readonly nodes?: number
  /** Whether the nodes share a Redis, whose socket is their option `redis`. */
  readonly redis?: true
  /** ms that a round trip to this Redis takes; by default as long as it takes without a delay */
  readonly roundTrip?: number
  /** Whether an HTTP route of the server is requested while it is measured. */
  readonly requests?: true
  readonly dialect: DialectName
  readonly path: string
}

/** Disables the fixed bounds that would refuse the load of a benchmark. */
export const bounds: Partial<Bounds> = { controlRate: Infinity, replayRate: Infinity, handshakes: Infinity }

/** Disables the limits that would refuse the load of a benchmark. */
const limits: FastifyChatOptions['limits'] = {
  messageRate: Infinity,
  byteRate: Infinity,
  connections: Infinity,
  handshakeRate: Infinity,
  rooms: Infinity,
  roomsPerMember: Infinity
}

function ours (name: string, dialect: 'plain' | 'v1', path: string, options: FastifyChatOptions): Server {
  return { name, ours: true, server: 'fastify-chat', dialect, path, options: { ...options, limits } }
}

const missingRedis = spawnSync('redis-server', ['--version']).error && 'redis-server is not installed'

export const plain = (name = 'plain', options: FastifyChatOptions = {}) => ours(name, 'plain', '/chat', options)
export const v1 = (name = 'v1', options: FastifyChatOptions = {}) => ours(name, 'v1', '/chat', options)
export const lmdb: Server = { ...v1('lmdb'), options: { limits, storage: 'lmdb' } }
export const redis: Server = { ...v1('redis, 2 nodes'), redis: true, nodes: 2, missing: missingRedis }
export const redisNode: Server = { ...redis, name: 'redis, 1 node', nodes: 1 }
export const echo = ours('echo', 'plain', '/echo', {})

const control = { ours: false, options: {}, dialect: 'plain', path: '/' } as const

export const ws: Server = { ...control, name: 'ws', server: 'ws' }
export const wsDeflate: Server = { ...control, name: 'ws deflate', server: 'ws', options: { deflate: true } }
export const wsEcho: Server = { ...control, name: 'ws echo', server: 'ws-echo' }
export const net: Server = { ...control, name: 'net', server: 'net' }
export const socketIO: Server = {
  ...control,
  name: 'Socket.IO',
  server: 'socket.io',
  dialect: 'socket.io',
  path: '/socket.io/?EIO=4&transport=websocket',
  missing: missingPackage('socket.io')
}
export const socketIOStreams: Server = {
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
