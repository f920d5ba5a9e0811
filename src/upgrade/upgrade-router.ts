import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance, RouteOptions } from 'fastify'
import FindMyWay, { type HTTPVersion, type Instance } from 'find-my-way'
import { appOptions, routerOptions } from './internals/index.ts'

type RewriteUrl = (this: FastifyInstance, request: IncomingMessage) => string

/** Constraints that every router has. */
const builtIn = ['host', 'version']

/** The result of `find` for a path that can't be decoded. */
export const malformed = Symbol('malformed')

/**
 * Finds the handler for an upgrade to one app. Has the settings of the app's router, so that an upgrade matches the same route
 * in both.
 */
export class UpgradeRouter<Target> {
  readonly #app: FastifyInstance
  readonly #rewriteUrl: RewriteUrl | undefined
  readonly #router: Instance<HTTPVersion.V1>

  constructor (app: FastifyInstance) {
    this.#app = app
    this.#rewriteUrl = appOptions(app).rewriteUrl as RewriteUrl | undefined
    this.#router = FindMyWay({ ...routerOptions(app), defaultRoute: () => undefined, onBadUrl: () => malformed })
  }

  /** Adds a path in the syntax of the app's router. */
  add (path: string, constraints: RouteOptions['constraints'], target: Target): void {
    // Leaves out constraint strategies that the app added later. They are unknown here, and the app's router applies them.
    const known = Object.fromEntries(Object.entries(constraints ?? {}).filter(([name]) => builtIn.includes(name) || this.#router.hasConstraintStrategy(name)))
    if (this.#router.hasRoute('GET', path, known)) return
    const found = (request: IncomingMessage, _response: unknown, params: object) => this.#isShadowed(request, params) ? undefined : target
    this.#router.on('GET', path, { constraints: known }, found as never)
  }

  /** Returns the target of the path that the request matches; undefined if there is none. */
  find (request: IncomingMessage): Target | typeof malformed | undefined {
    if (request.method !== 'GET') return undefined
    const url = this.#rewriteUrl?.call(this.#app, request)
    const rewritten = typeof url !== 'string' ? request : Object.create(request, { url: { value: url } }) as IncomingMessage
    return this.#router.lookup(rewritten, undefined as unknown as ServerResponse) as Target | typeof malformed | undefined
  }

  /** Returns whether the app has a static route for this path, which its router prefers to a route with parameters. */
  #isShadowed ({ url }: IncomingMessage, params: object): boolean {
    const path = url!.split('?', 1)[0]!
    return Object.keys(params).length > 0 && !/[:*]/.test(path) && this.#app.hasRoute({ method: 'GET', url: path })
  }
}
