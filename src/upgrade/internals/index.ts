/**
 * All uses of private or undocumented parts of Fastify, Node, ws and @fastify/websocket, each with the versions that it was
 * verified on. `test/upgrade/internals.test.ts` fails when one of these parts changes.
 */
export { appKey, appOptions, requestAddress, routerOptions } from './fastify.ts'
export {
  assignResponse, detachResponse, interceptUpgrades, onNextUpgrade, responseUnderWay, startReading, stopReading, type UpgradeArguments
} from './node.ts'
export { byteInterceptor } from './ws.ts'
export { markUpgrades, provideWebsocket, restoreHandler, verifyClientOf, websocketDispatchers } from './websocket-plugin.ts'
