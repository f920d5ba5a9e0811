import type { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'

/**
 * Everything that reaches into private parts of Fastify, Node and @fastify/websocket, each with the versions it was
 * seen on. `test/upgrade-internals.test.ts` fails when one of them changes.
 */

type AppOptions = FastifyServerOptions & Record<string, unknown>

/**
 * Returns the options that the app was made with. Fastify 5.0.0 to 5.12.8 keep them under `Symbol('fastify.options')`;
 * `initialConfig` has no functions.
 */
export function appOptions (app: FastifyInstance): AppOptions {
  return (symbolProperty(app, 'fastify.options') ?? {}) as AppOptions
}

/** The settings of find-my-way that decide which route a path belongs to. */
const routerKeys = [
  'allowUnsafeRegex', 'caseSensitive', 'constraints', 'ignoreDuplicateSlashes', 'ignoreTrailingSlash', 'maxParamLength', 'useSemicolonDelimiter'
]

/**
 * Returns the settings of the app's router. Where Fastify has `routerOptions`, those given as options of the app are among
 * them, and reading them there is deprecated; Fastify 5.0.0 has only the latter.
 */
export function routerOptions (app: FastifyInstance): Record<string, unknown> {
  const options = appOptions(app)
  const settings = (options.routerOptions ?? options) as Record<string, unknown>
  return Object.fromEntries(routerKeys.filter((key) => settings[key] !== undefined && settings[key] !== null).map((key) => [key, settings[key]]))
}

/**
 * Returns what `request.ip` will be for this request, by Fastify's own getter: its prototype is under
 * `Symbol('fastify.Request')` and reads `raw` alone. Fastify 5.0.0 to 5.12.8.
 * @returns undefined where it can't be known: an injected request without a socket
 */
export function requestAddress (app: FastifyInstance, raw: IncomingMessage): string | undefined {
  const Request = symbolProperty(app, 'fastify.Request') as { prototype: object } | undefined
  if (Request === undefined) return raw.socket?.remoteAddress
  try {
    return (Object.assign(Object.create(Request.prototype) as object, { raw }) as { ip?: string }).ip
  } catch {
    // Under trustProxy Fastify reads the address of a socket that an injected request doesn't have.
    return undefined
  }
}

/** Returns the response that a socket is assigned to: Node's `_httpMessage`, Node 20 to 26. */
export function responseUnderWay (socket: Duplex): ServerResponse | undefined {
  return (socket as Duplex & { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined
}

/** Returns how many @fastify/websocket listen on the server: each adds a function named `onUpgrade`, 11.0 to 11.3.6. */
export function websocketDispatchers (server: EventEmitter): number {
  return server.listeners('upgrade').filter(({ name }) => name === 'onUpgrade').length
}

/** An event of an intercepted server for each upgrade, `(request, socket)`, before it is known who takes it. */
const upgradeSeen = Symbol('upgrade seen')

const intercepted = new WeakSet<EventEmitter>()

/**
 * Calls back with the socket of the next upgrade, whoever takes it.
 * @returns a function that stops waiting
 */
export function onNextUpgrade (server: EventEmitter, seen: (socket: Duplex) => void): () => void {
  const event = intercepted.has(server) ? upgradeSeen : 'upgrade'
  const listener = (_request: IncomingMessage, socket: Duplex) => seen(socket)
  server.prependOnceListener(event, listener)
  return () => { server.off(event, listener) }
}

export type UpgradeArguments = [request: IncomingMessage, socket: Duplex, head: Buffer]

/**
 * Hands each `upgrade` event of a server to one function before its listeners, which can hide it from them. An `emit` of
 * the server's own is the only place for that: a listener can't keep an event from the others.
 * @param take its last argument passes the event on to the listeners
 * @returns a function that restores the server
 */
export function interceptUpgrades (server: EventEmitter, take: (...args: [...UpgradeArguments, pass: () => void]) => void): () => void {
  const replaced = Object.getOwnPropertyDescriptor(server, 'emit')
  const original = server.emit
  let active = true
  /** An `emit` that is inherited is looked up each time: tracing tools replace that of the prototype. */
  const emitOriginal = (args: unknown[]) => {
    const emit = replaced === undefined ? (Object.getPrototypeOf(server) as EventEmitter).emit : original
    return Reflect.apply(emit, server, args) as boolean
  }
  function emit (...args: unknown[]): boolean {
    if (args[0] !== 'upgrade' || !active) return emitOriginal(args)
    const [, request, socket, head] = args as [string, ...UpgradeArguments]
    emitOriginal([upgradeSeen, request, socket])
    take(request, socket, head, () => { emitOriginal(args) })
    return true
  }
  server.emit = emit
  intercepted.add(server)
  // Without a listener Node serves an upgrade as a request, or destroys its socket, and emits nothing.
  server.on('upgrade', listening)
  return () => {
    active = false
    intercepted.delete(server)
    server.off('upgrade', listening)
    // Somebody who replaced `emit` later calls ours, which now only passes on.
    if (server.emit !== emit) return
    if (replaced === undefined) delete (server as { emit?: unknown }).emit
    else Object.defineProperty(server, 'emit', replaced)
  }
}

function listening (): void {}

/** Returns the value of the symbol with this description, of the scope or of one around it. */
function symbolProperty (app: FastifyInstance, description: string): unknown {
  for (let scope: object | null = app; scope !== null; scope = Object.getPrototypeOf(scope) as object | null) {
    const key = Object.getOwnPropertySymbols(scope).find((symbol) => symbol.description === description)
    if (key !== undefined) return (scope as Record<symbol, unknown>)[key]
  }
  return undefined
}
