import { EventEmitter } from 'node:events'
import type { IncomingMessage, Server } from 'node:http'
import fastifyWebsocket from '@fastify/websocket'
import type { FastifyInstance, FastifyRequest, RouteHandlerMethod, RouteOptions } from 'fastify'
import type { ServerOptions, WebSocketServer } from 'ws'
import { Stopping } from '../../errors.ts'
import { writeRefusal } from '../http-refusal.ts'
import type { UpgradeArguments } from './node.ts'

/** Returns the number of @fastify/websocket instances on the server. Each adds a listener named `onUpgrade`. 11.0 to 11.3.6. */
export function websocketDispatchers (server: EventEmitter): number {
  return server.listeners('upgrade').filter(({ name }) => name === 'onUpgrade').length
}

/**
 * Sets `request.ws` for upgrades, as @fastify/websocket 11.0 to 11.3.6 does. Resets it to false at `onSend`. If it is true after
 * an HTTP response, that plugin destroys the socket, which resets the connection of a client that is still sending.
 */
export function markUpgrades (app: FastifyInstance, isUpgrade: (request: IncomingMessage) => boolean): void {
  const mark = (ws: boolean) => async (request: FastifyRequest): Promise<void> => { if (isUpgrade(request.raw)) request.ws = ws }
  app.addHook('onRequest', mark(true))
  app.addHook('onSend', mark(false))
}

/**
 * Restores the handler of a route. @fastify/websocket 11.0 to 11.3.6 replaces the handler of every route in its `onRoute` hook,
 * and the replacement answers injected upgrades. Call it from a hook that runs later.
 */
export function restoreHandler (route: RouteOptions, handler: RouteHandlerMethod): void { route.handler = handler }

/**
 * Returns the `verifyClient` of the app's @fastify/websocket; undefined for none. Reads the undocumented `options` of
 * `websocketServer`, `ws` 8.0.0 to 8.23.0.
 */
export function verifyClientOf (app: FastifyInstance): ServerOptions['verifyClient'] {
  return (app.websocketServer as WebSocketServer | undefined)?.options.verifyClient ?? undefined
}

/**
 * Replaces the HTTP server for our copy of @fastify/websocket. Versions 11.0 to 11.3.6 use only `on`, `removeListener` and
 * `emit`. Upgrades that are injected here are emitted on the app's server. `dispatch` emits upgrades to the plugin.
 */
class WebsocketServer extends EventEmitter {
  readonly #server: EventEmitter

  constructor (server: EventEmitter) {
    super()
    this.#server = server
  }

  override emit (event: string | symbol, ...args: unknown[]): boolean {
    if (event !== 'upgrade') return super.emit(event, ...args)
    // There is no listener once all chats are closed.
    if (!this.#server.emit(event, ...args)) writeRefusal((args as UpgradeArguments)[1], new Stopping())
    return true
  }

  dispatch (...args: UpgradeArguments): void { super.emit('upgrade', ...args) }
}

/** Adds a route whose upgrades are passed to `handle`. */
type AddRoute = (path: string, constraints: RouteOptions['constraints'], handle: (...args: UpgradeArguments) => void) => void

/**
 * Provides `injectWS`, `websocketServer` and routes with `websocket: true`, unless the app registers @fastify/websocket before
 * it starts. Adds no decorator before it is needed, so that the app can still register its own copy.
 */
export async function provideWebsocket (app: FastifyInstance, addRoute: AddRoute): Promise<void> {
  if (app.hasDecorator('websocketServer')) return
  const servers = new WeakMap<FastifyInstance, WebsocketServer>()

  app.addHook('onRegister', (child) => {
    const server = servers.get(Object.getPrototypeOf(child) as FastifyInstance)
    if (server !== undefined) servers.set(child, server)
  })
  app.addHook('onRoute', function (route) {
    if (route.websocket !== true && route.wsHandler === undefined) return
    if (![route.method].flat().includes('GET')) return
    let server = servers.get(this)
    if (server === undefined) {
      if (this.hasDecorator('websocketServer')) return
      servers.set(this, server = new WebsocketServer(app.server))
      register(this, server)
    }
    const { dispatch } = server
    addRoute(route.url, route.constraints as RouteOptions['constraints'], dispatch.bind(server))
  })

  // Registered in a child scope, so that it doesn't decorate this one.
  let injectWS!: FastifyInstance['injectWS']
  let websocketServer!: FastifyInstance['websocketServer']
  await app.register(async (scope) => {
    await scope.register(fastifyWebsocket, { options: { server: new WebsocketServer(app.server) as unknown as Server } });
    ({ injectWS, websocketServer } = scope)
  })
  app.addHook('onReady', async () => {
    if (!app.hasDecorator('websocketServer')) Object.assign(app, { injectWS, websocketServer })
  })
}

/** Registers the plugin synchronously, as 11.0 to 11.3.6 allows: the route that is being added needs its onRoute hook. */
function register (scope: FastifyInstance, server: WebsocketServer): void {
  fastifyWebsocket(scope, { options: { server: server as unknown as Server } }, (error) => { if (error !== undefined) throw error })
}
