import { EventEmitter } from 'node:events'
import type { Server } from 'node:http'
import fastifyWebsocket from '@fastify/websocket'
import type { FastifyInstance, RouteOptions } from 'fastify'
import { Stopping } from '../errors.ts'
import { writeRefusal } from './http-refusal.ts'
import type { UpgradeArguments } from './internals.ts'
import type { ChatUpgrades } from './upgrade-gate.ts'

/**
 * The server that our own copy of @fastify/websocket listens on. Upgrades injected there are emitted on the app's server
 * like all others. `dispatch` passes the upgrades of its own routes to it.
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

/**
 * Provides `injectWS`, `websocketServer` and routes with `websocket: true`, unless the app has registered @fastify/websocket
 * by the time it starts. Adds no decorator before it is needed, so that the app can still register its own copy.
 */
export async function provideWebsocket (app: FastifyInstance, upgrades: ChatUpgrades): Promise<void> {
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
    upgrades.addRoute(route.url, route.constraints as RouteOptions['constraints'], dispatch.bind(server))
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

/** Registers the plugin synchronously: the route that is being added needs its onRoute hook. */
function register (scope: FastifyInstance, server: WebsocketServer): void {
  fastifyWebsocket(scope, { options: { server: server as unknown as Server } }, (error) => { if (error !== undefined) throw error })
}
