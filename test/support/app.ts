import { EventEmitter, once } from 'node:events'
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import type { Bounds } from '../../src/bounds.ts'
import type { FastifyChatOptions } from '../../src/index.ts'
import { pluginWith } from '../../src/plugin.ts'

/** A log line, parsed. */
export type Line = Record<string, unknown> & { level: number, msg: string }

const written = new EventEmitter().setMaxListeners(0)

/** An app and all its log lines. */
export type App = FastifyInstance & { lines: Line[] }

/** Creates a Fastify app that closes with the test. `lines` contains all its log lines. */
export function bare (t: Test, options: Omit<FastifyServerOptions, 'logger'> = {}): App {
  const lines: Line[] = []
  const logger = { level: 'debug', stream: { write: (line: string) => { lines.push(JSON.parse(line) as Line); written.emit('line') } } }
  const app: FastifyInstance = Fastify({ ...options, logger })
  t.teardown(() => app.close())
  return Object.assign(app, { lines })
}

/** Creates such an app with the plugin registered at the root. @param bounds fixed bounds that the test changes */
export async function build (t: Test, options: FastifyChatOptions = {}, bounds: Partial<Bounds> = {}): Promise<App> {
  const app = bare(t)
  await app.register(pluginWith(bounds), options)
  return app
}

/** Resolves with the first log line with this message, past or future. */
export async function logged ({ lines }: { lines: Line[] }, message: string): Promise<Line> {
  for (;;) {
    const line = lines.find(({ msg }) => msg === message)
    if (line !== undefined) return line
    await once(written, 'line')
  }
}

/** Listens on a free loopback port. Resolves with the port. */
export async function listen (app: FastifyInstance): Promise<number> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}
