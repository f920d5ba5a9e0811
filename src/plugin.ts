import { EventEmitter } from 'node:events'
import type { Server } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import fastifyWebsocket from '@fastify/websocket'
import type { FastifyInstance, RegisterOptions } from 'fastify'
import fp from 'fastify-plugin'
import { Chat } from './chat.ts'
import { Connections } from './connections.ts'
import { CountedStore } from './counted-store.ts'
import { Door } from './upgrade/connection-limits.ts'
import { AlreadyRegistered } from './errors.ts'
import { Metrics } from './metrics.ts'
import { checkOptions } from './option-checks.ts'
import { resolveOptions, type FastifyChatOptions } from './options.ts'
import { pagePaths, pageRoutes } from './page.ts'
import { Paths } from './upgrade/route-conflicts.ts'
import { Members } from './members.ts'
import { MemoryRoster } from './roster/memory.ts'
import { RefusalLog } from './refusal-log.ts'
import { ReplyBudget } from './reply-budget.ts'
import { Rooms } from './rooms.ts'
import { chatRoute } from './routes/chat.ts'
import { echoRoute } from './routes/echo.ts'
import { MemoryStore } from './store/memory.ts'
import { Tally } from './tally.ts'
import { Upgrades } from './upgrade/pending-upgrades.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The chat registered here. */
    chat: Chat
  }
}

/** Fastify's default, where `initialConfig` doesn't say. */
const PLUGIN_TIMEOUT = 10_000

/** Servers on which a `@fastify/websocket` that we registered listens for upgrades. */
const dispatched = new WeakSet<Server>()

/**
 * Gives an app `/echo`, `/chat` and a page to try them, and `app.chat`.
 * @throws InvalidOption, AlreadyRegistered, PathTaken
 */
async function fastifyChat (app: FastifyInstance, options: FastifyChatOptions & RegisterOptions): Promise<void> {
  if (app.hasDecorator('chat')) throw new AlreadyRegistered()
  checkOptions(options)
  const settings = resolveOptions(options, app.initialConfig.pluginTimeout ?? PLUGIN_TIMEOUT)
  const { echo, chat, page, limits, routeOptions, hooks } = settings

  const { prefix = '', logLevel, logSerializers } = options
  const tally = new Tally((app.prefix + prefix).replace(/\/+$/, '') || '/')
  const refusals = new RefusalLog(app.log, tally)
  const upgrades = Upgrades.of(app.server, { timeout: limits.handshakeTimeout, refusals })
  await registerWebsocket(app, upgrades)
  const store = options.store ?? new MemoryStore({
    historyEntries: limits.historyEntries,
    historyBytes: limits.historyBytes,
    storeBytes: limits.storeBytes
  })
  const roster = options.roster ?? new MemoryRoster()
  const counted = new CountedStore(store, tally)
  const rooms = new Rooms({ store: counted, roster, tally, flushInterval: settings.flushInterval }, limits.rooms)
  const members = new Members(roster)
  const door = new Door(limits)
  const connections = new Connections({ ...settings, left: ({ address }) => door.leave(address) })
  const served = new Chat({ rooms, roster, store: counted, members, connections, tally, log: app.log })
  app.decorate('chat', served)
  if (options.metrics !== undefined) {
    const { timings, remove } = await Metrics.add(options.metrics, tally.chat, () => served.stats())
    tally.timings = timings
    app.addHook('onClose', async () => remove())
  }

  const paths = new Paths()
  await app.register(async (scope) => {
    const at = (path: string) => scope.prefix.replace(/\/$/, '') + path
    if (echo !== false) paths.claim(app, at(echo.path), 'echo.path', routeOptions.constraints)
    if (chat !== false) paths.claim(app, at(chat.path), 'chat.path', routeOptions.constraints)
    const admission = { rooms, roster, hooks, limits, members, tally }
    const budget = new ReplyBudget(limits.replyBudget, () => connections)
    const context = { settings, tally, upgrades, door, refusals, connections, admission, budget }
    await scope.register(echoRoute, context)
    await scope.register(chatRoute, context)
    if (page === false) return
    for (const path of pagePaths(page)) paths.claim(app, at(path), 'page')
    await scope.register(pageRoutes, {
      prefix: page.slice(0, -1),
      path: page,
      chat: chat && chat.path,
      echo: echo && echo.path,
      room: chat === false ? '' : chat.defaultRoom
    })
    app.addHook('onListen', async () => app.log.info(`the chat page is at ${visible(app.listeningOrigin)}${at(page)}`))
  }, { prefix, ...logLevel && { logLevel }, ...logSerializers && { logSerializers } })
  paths.guard(app)

  // @fastify/websocket would destroy the socket once it is answered, which resets a client that is still sending.
  app.addHook('onSend', async (request) => { if (upgrades.socketOf(request.raw) !== undefined) request.ws = false })
  app.addHook('onResponse', async (request) => upgrades.answered(request.raw))
  app.addHook('onReady', async () => {
    warnOfSecondDispatcher(app)
    if (limits.connectionsPerAddress !== Infinity) warnOfSpoofedAddresses(app)
  })
  // Before the server stops listening, and while @fastify/websocket only closes the app's own connections.
  app.addHook('preClose', async () => {
    upgrades.close()
    // What was stored in this turn reaches its members before they are closed.
    await turn()
    rooms.flush()
    await connections.close(settings.drainTimeout)
  })
  app.addHook('onClose', async () => {
    refusals.close()
    rooms.close()
    members.close()
    if (options.store === undefined) await store.close()
    if (options.roster === undefined) await roster.close()
  })
}

/** The app's own `@fastify/websocket` is used where it has one. */
async function registerWebsocket (app: FastifyInstance, upgrades: Upgrades): Promise<void> {
  if (app.hasDecorator('websocketServer')) return
  if (!dispatched.has(app.server)) {
    dispatched.add(app.server)
    await app.register(fastifyWebsocket)
    return
  }
  // In a sibling scope one listens already, and dispatches to all scopes: a second on the same server would handle each
  // upgrade twice. This one hears only what is injected.
  const server = new EventEmitter() as Server
  upgrades.watch(server)
  await app.register(fastifyWebsocket, { options: { server } })
}

function warnOfSecondDispatcher (app: FastifyInstance): void {
  if (app.server.listeners('upgrade').filter(({ name }) => name === 'onUpgrade').length < 2) return
  app.log.warn('@fastify/websocket is registered more than once, so every upgrade is handled more than once: ' +
    'register it once, at the root, before fastify-chat')
}

/** Fastify keeps it where no plugin can ask for it. */
function warnOfSpoofedAddresses (app: FastifyInstance): void {
  for (let scope: object | null = app; scope !== null; scope = Object.getPrototypeOf(scope) as object | null) {
    const key = Object.getOwnPropertySymbols(scope).find(({ description }) => description === 'fastify.options')
    if (key === undefined) continue
    const { trustProxy } = (scope as Record<symbol, { trustProxy?: unknown }>)[key]!
    if (trustProxy !== true) return
    app.log.warn('with trustProxy: true every client chooses its address itself, by X-Forwarded-For, so limits.connectionsPerAddress ' +
      'and bans by address hold nobody: name your proxies, or their number, in trustProxy')
    return
  }
}

/** An address for a person to open: the wildcard addresses are none. */
function visible (origin: string): string {
  return origin.replace(/\/\/(0\.0\.0\.0|\[::\])(?=:)/, '//localhost')
}

/** Registers echo, chat and the page in a Fastify app. */
export default fp<FastifyChatOptions>(fastifyChat, { fastify: '5.x', name: 'fastify-chat' })
