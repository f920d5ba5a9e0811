import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'

type AppOptions = FastifyServerOptions & Record<string, unknown>

/**
 * Returns the options that the app was created with. Fastify 5.0.0 to 5.12.8 keep them under `Symbol('fastify.options')`. The
 * public `initialConfig` contains no functions.
 */
export function appOptions (app: FastifyInstance): AppOptions {
  return (symbolProperty(app, 'fastify.options') ?? {}) as AppOptions
}

/** The settings of find-my-way that affect which route a path matches. */
const routerKeys = [
  'allowUnsafeRegex', 'caseSensitive', 'constraints', 'ignoreDuplicateSlashes', 'ignoreTrailingSlash', 'maxParamLength', 'useSemicolonDelimiter'
]

/**
 * Returns the settings of the app's router. Fastify 5.0.0 has them in the app's options. Later versions copy them to
 * `routerOptions`, and deprecate reading them from the options.
 */
export function routerOptions (app: FastifyInstance): Record<string, unknown> {
  const options = appOptions(app)
  const settings = (options.routerOptions ?? options) as Record<string, unknown>
  return Object.fromEntries(routerKeys.filter((key) => settings[key] !== undefined && settings[key] !== null).map((key) => [key, settings[key]]))
}

/**
 * Returns the value that `request.ip` will have. Calls Fastify's own getter, which reads only `raw`. The prototype with the
 * getter is under `Symbol('fastify.Request')`. Fastify 5.0.0 to 5.12.8.
 * @returns undefined for an injected request without a socket
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

/**
 * Returns a key that identifies an app in all its scopes: its `routing` function, which the scopes inherit. Fastify 5.0.0 to
 * 5.12.8.
 */
export function appKey ({ routing }: FastifyInstance): unknown { return routing }

/** Returns the value under the symbol with this description, in the scope or the nearest ancestor that has it. */
function symbolProperty (app: FastifyInstance, description: string): unknown {
  for (let scope: object | null = app; scope !== null; scope = Object.getPrototypeOf(scope) as object | null) {
    const key = Object.getOwnPropertySymbols(scope).find((symbol) => symbol.description === description)
    if (key !== undefined) return (scope as Record<symbol, unknown>)[key]
  }
  return undefined
}
