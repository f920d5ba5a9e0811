import type { FastifyInstance, HTTPMethods, RouteOptions } from 'fastify'
import { PathTaken } from '../errors.ts'

type Constraints = RouteOptions['constraints']

/** The paths of one chat, each with the option that sets it. */
export class RouteClaims {
  readonly #claimed = new Map<string, string>()

  /** Reserves a path. @throws PathTaken when the app or this chat already has a route there */
  claim (app: FastifyInstance, path: string, option: string, constraints?: Constraints): void {
    if (this.#claimed.has(path) || taken(app, ['GET', 'HEAD'], path, constraints)) throw new PathTaken(path, option)
    this.#claimed.set(path, option)
  }

  /** Makes the app throw PathTaken for a route that is added later on a reserved path. */
  rejectLaterRoutes (app: FastifyInstance): void {
    app.addHook('onRoute', ({ url, method, constraints }) => {
      const option = this.#claimed.get(url)
      const methods = [method].flat().filter((each) => each === 'GET' || each === 'HEAD')
      if (option !== undefined && taken(app, methods, url, constraints)) throw new PathTaken(url, option)
    })
  }
}

function taken (app: FastifyInstance, methods: HTTPMethods[], url: string, constraints: Constraints): boolean {
  return methods.some((method) => app.hasRoute({ method, url, constraints: constraints ?? {} }))
}
