import type { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'

/**
 * Everything that reaches into private parts of Fastify, Node and @fastify/websocket, each with the versions it was
 * seen on. `test/upgrade/internals.test.ts` fails when one of them changes.
 */

type AppOptions = FastifyServerOptions & Record<string, unknown>

/**
 * Returns the options that the app was made with. Fastify 5.0.0 to 5.12.8 keep them under `Symbol('fastify.options')`;
 * `initialConfig` has no functions.
 */
export function appOptions (app: FastifyInstance): AppOptions {
  return (symbolProperty(app, 'fastify.options') ?? {}) as AppOptions
}

/** The settings of find-my-way that affect which route a path matches. */
const routerKeys = [
  'allowUnsafeRegex', 'caseSensitive', 'constraints', 'ignoreDuplicateSlashes', 'ignoreTrailingSlash', 'maxParamLength', 'useSemicolonDelimiter'
]

/**
 * Returns the settings of the app's router. Later versions of Fastify copy router settings from the app's options to
 * `routerOptions`, and deprecate reading the originals. Fastify 5.0.0 has only the originals.
 */
export function routerOptions (app: FastifyInstance): Record<string, unknown> {
  const options = appOptions(app)
  const settings = (options.routerOptions ?? options) as Record<string, unknown>
  return Object.fromEntries(routerKeys.filter((key) => settings[key] !== undefined && settings[key] !== null).map((key) => [key, settings[key]]))
}

/**
 * Returns the value that `request.ip` will have. It calls Fastify's own getter, which reads only `raw`; its prototype is
 * under `Symbol('fastify.Request')`. Fastify 5.0.0 to 5.12.8.
 * @returns undefined if unknown: for an injected request without a socket
 */
export function requestAddress (app: FastifyInstance, raw: IncomingMessage): string | undefined {
  const Request = symbolProperty(app, 'fastify.Request') as { prototype: object } | undefined
  if (Request === undefined) return raw.socket?.remoteAddress
  try {
    return (Object.assign(Object.create(Request.prototype) as object, { raw }) as { ip?: string }).ip
  } catch {
    // With trustProxy, Fastify reads the address of the socket, which an injected request may lack.
    return undefined
  }
}

/** Returns the response that is assigned to a socket: Node's `_httpMessage`, Node 20 to 26. */
export function responseUnderWay (socket: Duplex): ServerResponse | undefined {
  return (socket as Duplex & { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined
}

/** Returns the number of @fastify/websocket instances on the server. Each adds a listener named `onUpgrade`, 11.0 to 11.3.6. */
export function websocketDispatchers (server: EventEmitter): number {
  return server.listeners('upgrade').filter(({ name }) => name === 'onUpgrade').length
}

/** Event of an intercepted server, `(request, socket)`: emitted for each upgrade before it is dispatched. */
const upgradeSeen = Symbol('upgrade seen')

const intercepted = new WeakSet<EventEmitter>()

/**
 * Calls `seen` with the socket of the next upgrade, before it is dispatched.
 * @returns a function that removes the listener
 */
export function onNextUpgrade (server: EventEmitter, seen: (socket: Duplex) => void): () => void {
  const event = intercepted.has(server) ? upgradeSeen : 'upgrade'
  const listener = (_request: IncomingMessage, socket: Duplex) => seen(socket)
  server.prependOnceListener(event, listener)
  return () => { server.off(event, listener) }
}

export type UpgradeArguments = [request: IncomingMessage, socket: Duplex, head: Buffer]

/**
 * Passes each `upgrade` event of a server to one function, which decides whether the listeners receive it. This requires
 * replacing the server's `emit`: a listener can't withhold an event from other listeners.
 * @param take its last argument emits the event to the listeners
 * @returns a function that restores the server
 */
export function interceptUpgrades (server: EventEmitter, take: (...args: [...UpgradeArguments, pass: () => void]) => void): () => void {
  const replaced = Object.getOwnPropertyDescriptor(server, 'emit')
  const original = server.emit
  let active = true
  /** Looks up an inherited `emit` on each call: tracing tools replace it on the prototype. */
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
  // Without a listener, Node handles an upgrade as a request or destroys its socket, and emits no event.
  server.on('upgrade', ignore)
  return () => {
    active = false
    intercepted.delete(server)
    server.off('upgrade', ignore)
    // Code that replaced `emit` later still calls this one, which now only forwards.
    if (server.emit !== emit) return
    if (replaced === undefined) delete (server as { emit?: unknown }).emit
    else Object.defineProperty(server, 'emit', replaced)
  }
}

function ignore (): void {}

/** Returns the value under the symbol with this description, in the scope or the nearest ancestor that has it. */
function symbolProperty (app: FastifyInstance, description: string): unknown {
  for (let scope: object | null = app; scope !== null; scope = Object.getPrototypeOf(scope) as object | null) {
    const key = Object.getOwnPropertySymbols(scope).find((symbol) => symbol.description === description)
    if (key !== undefined) return (scope as Record<symbol, unknown>)[key]
  }
  return undefined
}
