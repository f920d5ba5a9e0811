import { setImmediate as turn } from 'node:timers/promises'
import type { FastifyInstance, RegisterOptions } from 'fastify'
import fp from 'fastify-plugin'
import { Chat } from './chat/chat.ts'
import { Connections } from './connection/connections.ts'
import { checkContradictions } from './option-contradictions.ts'
import { InstrumentedStore } from './observability/instrumented-store.ts'
import { AlreadyRegistered } from './errors.ts'
import { Metrics } from './observability/metrics.ts'
import { checkOptions } from './option-checks.ts'
import { resolveOptions, type FastifyChatOptions } from './options.ts'
import { pagePaths, pageRoutes } from './routes/page.ts'
import { Peers } from './rooms/peers.ts'
import { MemoryRoster } from './drivers/memory/roster.ts'
import { RefusalLog } from './observability/refusal-log.ts'
import { ByteBudget } from './connection/byte-budget.ts'
import { Rooms } from './rooms/rooms.ts'
import { chatRoute } from './routes/chat.ts'
import { echoRoute } from './routes/echo.ts'
import { MemoryStore } from './drivers/memory/store.ts'
import { Counters } from './observability/stats.ts'
import { trustProxyWarning } from './upgrade/trust-proxy.ts'
import { ConnectionLimits } from './upgrade/connection-limits.ts'
import { appOptions, websocketDispatchers } from './upgrade/internals.ts'
import { RouteClaims } from './upgrade/route-conflicts.ts'
import { ChatUpgrades } from './upgrade/upgrade-gate.ts'
import { provideWebsocket } from './upgrade/websocket-plugin.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The chat registered here. */
    chat: Chat
  }
}

/** Fastify's default, where `initialConfig` doesn't say. */
const PLUGIN_TIMEOUT = 10_000

/**
 * Gives an app `/echo`, `/chat` and a page to try them, and `app.chat`.
 * @throws InvalidOption, AlreadyRegistered, PathTaken
 */
async function fastifyChat (app: FastifyInstance, options: FastifyChatOptions & RegisterOptions): Promise<void> {
  if (app.hasDecorator('chat')) throw new AlreadyRegistered()
  checkOptions(options)
  const settings = resolveOptions(options, app.initialConfig.pluginTimeout ?? PLUGIN_TIMEOUT)
  checkContradictions(settings, options)
  const { echo, chat, page, limits, routeOptions, hooks } = settings

  const { prefix = '', logLevel, logSerializers } = options
  const tally = new Counters((app.prefix + prefix).replace(/\/+$/, '') || '/')
  const refusals = new RefusalLog(app.log, tally)
  const connectionLimits = new ConnectionLimits(limits)
  const upgrades = new ChatUpgrades(app, connectionLimits, refusals, limits)
  app.addHook('onClose', async () => upgrades.leave())
  await provideWebsocket(app, upgrades)
  const store = options.store ?? new MemoryStore({
    historyEntries: limits.historyEntries,
    historyBytes: limits.historyBytes,
    storeBytes: limits.storeBytes
  })
  const roster = options.roster ?? new MemoryRoster()
  const counted = new InstrumentedStore(store, tally)
  const rooms = new Rooms({ store: counted, roster, tally, flushInterval: settings.flushInterval }, limits)
  const members = new Peers(roster)
  const connections = new Connections({ ...settings, left: ({ address }) => connectionLimits.leave(address) })
  const served = new Chat({ rooms, roster, store: counted, members, connections, tally, limits, log: app.log })
  app.decorate('chat', served)
  if (options.metrics !== undefined) {
    const { timings, remove } = await Metrics.add(options.metrics, tally.chat, () => served.stats())
    tally.timings = timings
    app.addHook('onClose', async () => remove())
  }

  const paths = new RouteClaims()
  await app.register(async (scope) => {
    const at = (path: string) => scope.prefix.replace(/\/$/, '') + path
    if (echo !== false) paths.claim(app, at(echo.path), 'echo.path', routeOptions.constraints)
    if (chat !== false) paths.claim(app, at(chat.path), 'chat.path', routeOptions.constraints)
    const admission = { rooms, roster, hooks, limits, members, tally }
    const budget = new ByteBudget(limits.replyBudget, () => connections)
    const receiveBudget = new ByteBudget(limits.receiveBudget, () => connections.receiving())
    const context = { settings, tally, upgrades, connectionLimits, refusals, connections, admission, budget, receiveBudget }
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

  // @fastify/websocket sets it for its own dispatch; after an answer by HTTP it would destroy the socket, which resets a
  // client that is still sending.
  app.addHook('onRequest', async (request) => { if (upgrades.has(request.raw)) request.ws = true })
  app.addHook('onSend', async (request) => { if (upgrades.has(request.raw)) request.ws = false })
  app.addHook('onReady', async () => {
    warnOfSecondDispatcher(app)
    if (limits.connectionsPerAddress !== Infinity) warnOfTrustProxy(app)
  })
  // Before the server stops listening, and while @fastify/websocket only closes the app's own connections.
  app.addHook('preClose', async () => {
    upgrades.close(settings.drainTimeout)
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

function warnOfSecondDispatcher ({ server, log }: FastifyInstance): void {
  if (websocketDispatchers(server) < 2) return
  log.warn('@fastify/websocket is registered more than once on this server, so it handles each upgrade of its routes more than once: ' +
    'register it once, at the root')
}

function warnOfTrustProxy (app: FastifyInstance): void {
  const warning = trustProxyWarning(appOptions(app).trustProxy)
  if (warning !== undefined) app.log.warn(warning)
}

/** An address for a person to open: the wildcard addresses are none. */
function visible (origin: string): string {
  return origin.replace(/\/\/(0\.0\.0\.0|\[::\])(?=:)/, '//localhost')
}

/** Registers echo, chat and the page in a Fastify app. */
export default fp<FastifyChatOptions>(fastifyChat, { fastify: '5.x', name: 'fastify-chat' })
