import { createError, type FastifyErrorConstructor } from '@fastify/error'
import type { ErrorCodeName } from './protocol.ts'

/** The meaning of an error for the code that handles it. Declared with the error. */
export interface Meaning {
  /**
   * - `usage`: the app's code or configuration is wrong
   * - `refusal`: the server refuses a client, or one of its requests, as intended
   * - `failure`: the store or the roster failed; a failure of the store is counted as a store error
   */
  readonly kind: 'usage' | 'refusal' | 'failure'
  /** Code of the v1 `error` message that answers the request. Absent: no request is answered with this error. */
  readonly wireCode?: ErrorCodeName
  /**
   * Close code for an error that can't be sent to the client. Used if the error has no wire code. Also used if a plain client
   * can't join.
   */
  readonly closeCode?: number
  /** Whether the same request may succeed later. */
  readonly retryable?: true
  /** The option of the plugin that sets the limit, or the options, separated by commas. For the log. */
  readonly option?: string
}

type DeclaredError<Code extends string> = FastifyErrorConstructor<{ code: Code, statusCode: number }> & { readonly meaning: Meaning }

const meanings = new Map<unknown, Meaning>()

/**
 * Creates an error class.
 * @param code unique
 * @param message with a `%s` for each argument of the constructor
 * @param statusCode of an HTTP response with this error
 */
export function declareError<Code extends string> (
  code: Code,
  message: string,
  statusCode: number,
  meaning: Meaning,
  Base?: ErrorConstructor
): DeclaredError<Code> {
  meanings.set(code, meaning)
  return Object.assign(createError(code, message, statusCode, Base) as FastifyErrorConstructor<{ code: Code, statusCode: number }>, { meaning })
}

/**
 * Returns the meaning of a declared error; undefined for any other value. Identifies the error by its code, not by its class:
 * a custom store may reject with any `Error` that has the code.
 */
export function meaningOf (error: unknown): Meaning | undefined {
  return error instanceof Error && 'code' in error ? meanings.get(error.code) : undefined
}
