/**
 * Everything that reaches into private or undocumented parts of Fastify, Node, ws and @fastify/websocket, each with the
 * versions it was seen on. `test/upgrade/internals.test.ts` fails when one of them changes.
 */
export { appKey, appOptions, requestAddress, routerOptions } from './fastify.ts'
export {
  assignResponse, detachResponse, interceptUpgrades, onNextUpgrade, responseUnderWay, startReading, stopReading, type UpgradeArguments
} from './node.ts'
export { markUpgrades, provideWebsocket, restoreHandler, verifyClientOf, websocketDispatchers } from './websocket-plugin.ts'
