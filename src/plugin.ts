import { setImmediate as endOfTick } from 'node:timers/promises'
import type { FastifyInstance, FastifyPluginCallback, RegisterOptions } from 'fastify'
import fp from 'fastify-plugin'
import type { OpenBackend } from './backend.ts'
import { BackendUse } from './drivers/backend-use.ts'
import { BOUNDS, type Bounds } from './bounds.ts'
import { Chat } from './chat/chat.ts'
import { TextStreams } from './chat/text-streams.ts'
import { Connections } from './connection/connections.ts'
import { checkContradictions, checkPayload } from './option-contradictions.ts'
import { checkEffect } from './ineffective-options.ts'
import { inContext } from './hooks.ts'
import { InstrumentedStore } from './observability/instrumented-store.ts'
import { AlreadyRegistered } from './errors.ts'
import { Metrics } from './observability/metrics.ts'
import { checkOptions } from './option-checks.ts'
import type { FastifyChatOptions } from './options.ts'
import { findPageFiles, pagePaths } from './routes/page-files.ts'
import { pageRoutes } from './routes/page.ts'
import { Attendances } from './rooms/peer/attendances.ts'
import { Peers } from './rooms/peer/peers.ts'
import { amendEntry } from './rooms/peer/change.ts'
import { HookCalls } from './rooms/peer/hook-calls.ts'
import { ReadPositions } from './rooms/reads/read-positions.ts'
import { RefusalLog } from './observability/refusal-log.ts'
import { resolveOptions, type Settings } from './settings.ts'
import { ByteBudget } from './connection/byte-budget.ts'
import { Rooms } from './rooms/rooms.ts'
import { chatRoute } from './routes/chat.ts'
import { echoRoute } from './routes/echo.ts'
import { memory } from './drivers/memory/backend.ts'
import { Counters } from './observability/stats.ts'
import { warnOfAppSettings } from './upgrade/app-warnings.ts'
import { ChatUpgrades } from './upgrade/chat-upgrades.ts'
import { ConnectionLimits } from './upgrade/connection-limits.ts'
import { markUpgrades, provideWebsocket } from './upgrade/internals/index.ts'
import { RouteClaims } from './upgrade/route-conflicts.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The chat that is registered in this scope. */
    chat: Chat
  }
}

/** Fastify's default in ms, used if `initialConfig` has no value. */
const PLUGIN_TIMEOUT = 10_000

/**
 * Adds `/echo`, `/chat`, a page that uses them, and `app.chat`.
 * Opens the backend, and rejects as its `open` does.
 * @throws InvalidOption, AlreadyRegistered, PathTaken
 */
async function fastifyChat (app: FastifyInstance, options: FastifyChatOptions & RegisterOptions, bounds: Bounds): Promise<void> {
  if (app.hasDecorator('chat')) throw new AlreadyRegistered()
  checkOptions(options)
  const settings = resolveOptions(options, bounds)
  checkContradictions(settings, app.initialConfig.pluginTimeout ?? PLUGIN_TIMEOUT)
  checkEffect(settings, options)
  const use = new BackendUse(options.backend ?? memory())
  // The first hook that is added runs last, after everything that uses the backend.
  app.addHook('onClose', async () => await use.release())
  try {
    const backend = await use.open(app)
    checkPayload(settings, backend.maxPayload)
    await addChat(app, options, settings, backend)
  } catch (error) {
    // `app.close()` also calls `release`, and reports its error.
    await use.release().catch(() => {})
    throw error
  }
}

/** Adds the routes, the page and `app.chat`. @throws PathTaken */
async function addChat (
  app: FastifyInstance, options: FastifyChatOptions & RegisterOptions, settings: Settings, { store, roster }: OpenBackend
): Promise<void> {
  const { echo, chat, page, limits, routeOptions } = settings

  const { prefix = '', logLevel, logSerializers } = options
  const counters = new Counters((app.prefix + prefix).replace(/\/+$/, '') || '/')
  const refusals = new RefusalLog(app.log, counters)
  const upgradeLimits = { ...limits, handshakes: settings.bounds.handshakes }
  const connectionLimits = new ConnectionLimits(upgradeLimits)
  const upgrades = new ChatUpgrades(app, connectionLimits, refusals, upgradeLimits)
  app.addHook('onClose', async () => upgrades.remove())
  await provideWebsocket(app, (path, constraints, handle) => upgrades.addRoute(path, constraints, handle))
  const instrumented = new InstrumentedStore(store, counters)
  const hookCalls = new HookCalls(app.log)
  // Rooms end streams of dead processes in no request.
  const hooks = inContext({ onChange: settings.hooks.onChange })
  const readPositions = settings.hooks.authenticate === undefined ? undefined : new ReadPositions(instrumented, roster, app.log)
  const rooms = new Rooms({
    store: instrumented,
    amend: (...args) => amendEntry({ store: instrumented, hookCalls }, hooks, ...args),
    roster,
    counters,
    flushInterval: settings.flushInterval,
    streamLease: settings.bounds.streamLease
  }, limits)
  const peers = new Peers(roster)
  const connections = new Connections({ ...settings, left: ({ address }) => connectionLimits.release(address) })
  const streams = new TextStreams({ store: instrumented, hookCalls, readPositions, limits, hooks: settings.hooks, lease: settings.bounds.streamLease })
  const appChat = new Chat({
    rooms, roster, store: instrumented, readPositions, peers, connections, hooks: settings.hooks, hookCalls, streams, counters, limits, log: app.log
  })
  app.decorate('chat', appChat)
  if (options.metrics !== undefined) {
    const { timings, remove } = await Metrics.add(options.metrics, counters.chat, () => appChat.stats())
    counters.timings = timings
    app.addHook('onClose', async () => remove())
  }

  const claims = new RouteClaims()
  await app.register(async (scope) => {
    const at = (path: string) => scope.prefix.replace(/\/$/, '') + path
    if (echo !== false) claims.claim(app, at(echo.path), 'echo.path', routeOptions.constraints)
    if (chat !== false) claims.claim(app, at(chat.path), 'chat.path', routeOptions.constraints)
    const attendances = new Attendances(roster, (...args) => readPositions?.receive(...args))
    const admission = { rooms, store: instrumented, roster, hookCalls, limits, peers, attendances, readPositions, counters }
    const budget = new ByteBudget(limits.totalPendingBytes, () => connections.writers())
    const receiveBudget = new ByteBudget(limits.receiveBudget, () => connections.receivers())
    const context = { settings, counters, upgrades, refusals, connections, admission, budget, receiveBudget }
    await scope.register(echoRoute, context)
    await scope.register(chatRoute, context)
    if (page === false) return
    const files = findPageFiles()
    for (const path of pagePaths(page, files)) claims.claim(app, at(path), 'page')
    await scope.register(pageRoutes, {
      prefix: page.slice(0, -1),
      path: page,
      files,
      chat: chat && chat.path,
      echo: echo && echo.path,
      room: chat === false ? '' : chat.defaultRoom,
      payload: limits.chatPayload
    })
    app.addHook('onListen', async () => {
      app.log.info(`the chat page is at ${browsable(app.listeningOrigin)}${at(page)}`)
    })
  }, { prefix, ...logLevel && { logLevel }, ...logSerializers && { logSerializers } })
  claims.rejectLaterRoutes(app)

  markUpgrades(app, (request) => upgrades.has(request))
  app.addHook('onReady', async () => warnOfAppSettings(app, limits))
  // Runs before the server stops listening. In this phase @fastify/websocket closes only the app's own connections.
  app.addHook('preClose', async () => {
    const { drainTimeout } = settings
    upgrades.close(drainTimeout)
    // At least half of the time is left for the close handshakes, even if the store fails.
    const left = Math.max(0, drainTimeout - await streams.close(drainTimeout / 2))
    // Entries and changes stored in this tick are sent to members before their connections close.
    await endOfTick()
    rooms.flush()
    const deadline = performance.now() + left
    await connections.close(left)
    await hookCalls.close(Math.max(0, deadline - performance.now()))
  })
  app.addHook('onClose', async () => {
    refusals.close()
    rooms.close()
    peers.close()
    await readPositions?.close()
  })
}

/** Returns the URL with localhost instead of a wildcard address, so that a person can open it. */
function browsable (origin: string): string {
  return origin.replace(/\/\/(0\.0\.0\.0|\[::\])(?=:)/, '//localhost')
}

/** Returns the plugin with other fixed bounds. The package doesn't export it. */
export function pluginWith (bounds: Partial<Bounds>): FastifyPluginCallback<FastifyChatOptions> {
  return fp<FastifyChatOptions>(async (app, options) => await fastifyChat(app, options, { ...BOUNDS, ...bounds }), { fastify: '5.x', name: 'fastify-chat' })
}

/** Registers echo, chat and the page in a Fastify app. */
export default pluginWith({})
