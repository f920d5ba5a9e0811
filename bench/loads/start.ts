import type { Program } from '../contenders.ts'
import type { Start } from './load.ts'

const program = (name: string, file: string, ...args: string[]): Program => ({ name, ours: name !== 'bare', file, arguments: args })

/** Maximum time of our start as a multiple of that of a bare app. */
const atMost = 1.5

export const startRegister: Start = {
  kind: 'start',
  name: 'start-register',
  title: 'register to ready(), beside a bare Fastify with @fastify/websocket and one route',
  until: 'ready',
  contenders: [program('plugin', 'dist/index.js'), program('bare', 'bench/programs/bare.js')],
  targets: [{ ours: 'plugin', control: 'bare', atMost }]
}

export const startServe: Start = {
  kind: 'start',
  name: 'start-serve',
  title: 'start of the process to listening, beside the same bare app',
  until: 'listening',
  contenders: [program('serve', 'dist/cli/main.js', 'serve', '--port', '0'), program('bare', 'bench/programs/serve-bare.js')],
  targets: [{ ours: 'serve', control: 'bare', atMost }]
}
