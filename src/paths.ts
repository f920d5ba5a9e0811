import type { FastifyInstance, RouteOptions } from 'fastify'
import { PathTaken } from './errors.ts'

/** The paths of one chat, each with the option that moves it. */
export class Paths {
  readonly #constraints: RouteOptions['constraints']
  readonly #claimed = new Map<string, string>()

  constructor (constraints: RouteOptions['constraints'] = {}) {
    this.#constraints = constraints
  }

  /** @throws PathTaken when the app has a route there already, or this chat another one */
  claim (app: FastifyInstance, path: string, option: string): void {
    const taken = app.hasRoute({ method: 'GET', url: path, constraints: this.#constraints ?? {} })
    if (taken || this.#claimed.has(path)) throw new PathTaken(path, option)
    this.#claimed.set(path, option)
  }

  /** Refuses what is added later on the same path. */
  guard (app: FastifyInstance): void {
    app.addHook('onRoute', ({ url, method, constraints }) => {
      const option = this.#claimed.get(url)
      const collides = option !== undefined && [method].flat().some((each) =>
        (each === 'GET' || each === 'HEAD') && app.hasRoute({ method: each, url, constraints: constraints ?? {} }))
      if (collides) throw new PathTaken(url, option)
    })
  }
}
