import { meaningOf } from '../error-meaning.ts'
import { StoreUnknown } from '../errors.ts'
import type { ErrorCodeName } from '../protocol.ts'

/** failed: whether a backend failed, so that the error belongs in the log. */
export interface ErrorAnswer { readonly code: ErrorCodeName, readonly message: string, readonly failed: boolean }

/** Returns the error to send to the client; undefined if the error closes the connection, as that of a failed hook does. */
export function errorFor (error: unknown): ErrorAnswer | undefined {
  const meaning = meaningOf(error)
  if (meaning?.wireCode !== undefined) return { code: meaning.wireCode, message: (error as Error).message, failed: meaning.kind === 'failure' }
  if (meaning?.closeCode !== undefined) return undefined
  // An error outside the contract of the store or the roster doesn't show whether the operation was applied.
  return errorFor(new StoreUnknown())
}
