import { checkOptions } from '../src/option-checks.ts'
import type { DialectName } from './generator/dialects.ts'

/** A server, and how its clients speak to it. */
export interface Contender {
  readonly name: string
  readonly ours: boolean
  /** A file of `servers/`. */
  readonly server: string
  readonly options: object
  readonly dialect: DialectName
  readonly path: string
  /** Why it can't be measured. */
  readonly missing?: string | undefined
}

/** Limits that are there to refuse such a load. */
const limits = Object.fromEntries(['messageRate', 'messageBurst', 'connections']
  .filter((name) => accepts({ limits: { [name]: Infinity } }))
  .map((name) => [name, Infinity]))

function accepts (options: object): boolean {
  try {
    checkOptions(options)
    return true
  } catch {
    return false
  }
}

function ours (name: string, dialect: 'plain' | 'v1', path: string, options: object): Contender {
  const missing = accepts(options) ? undefined : `not available: no option ${Object.keys(options).join(', ')}`
  return { name, ours: true, server: 'fastify-chat', dialect, path, options: { ...options, limits }, missing }
}

export const plain = (name = 'plain', options: object = {}) => ours(name, 'plain', '/chat', options)
export const v1 = (name = 'v1', options: object = {}) => ours(name, 'v1', '/chat', options)
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
  missing: isInstalled('socket.io') ? undefined : 'not installed: run npm install in bench/'
}

function isInstalled (name: string): boolean {
  try {
    import.meta.resolve(name)
    return true
  } catch {
    return false
  }
}
