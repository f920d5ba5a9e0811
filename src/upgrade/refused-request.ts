import type { IncomingMessage } from 'node:http'
import type { FastifyError } from '@fastify/error'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { meaningOf } from '../error-meaning.ts'
import type { RefusalLog } from '../observability/refusal-log.ts'
import { requestAddress } from './internals/index.ts'

/** Maximum length of a logged path. */
const MAX_PATH = 200

/**
 * Counts and logs a refused request, with its sender, its path, and the option that sets the limit.
 * @param log logger of the request; undefined before the app has routed it
 */
export function reportRefused (refusals: RefusalLog, app: FastifyInstance, request: IncomingMessage, error: FastifyError, log?: FastifyBaseLogger): void {
  // Without the query, which may contain a token.
  const [path = ''] = (request.url ?? '').split('?', 1)
  const details = { address: requestAddress(app, request), path: path.slice(0, MAX_PATH), option: meaningOf(error)?.option }
  refusals.refused(error.code, error.message, details, log)
}
