import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { meaningOf } from '../error-meaning.ts'
import { requestAddress } from './internals/index.ts'

/** Maximum length of a logged path. */
const MAX_PATH = 200

/** The sender and the path of a refused upgrade, and the option that sets the limit, for the log. */
export interface RefusedRequest {
  readonly address: string | undefined
  /** without the query, which may contain a token */
  readonly path: string
  readonly option: string | undefined
}

export function refusedRequest (app: FastifyInstance, request: IncomingMessage, error: unknown): RefusedRequest {
  const [path = ''] = (request.url ?? '').split('?', 1)
  return { address: requestAddress(app, request), path: path.slice(0, MAX_PATH), option: meaningOf(error)?.option }
}
