import { meaningOf, type Meaning } from '../error-meaning.ts'
import { StoreUnavailable, StoreUnknown } from '../errors.ts'
import { ErrorCode, type ErrorCodeName } from '../protocol.ts'

/** The error to send to a client. */
export interface ErrorAnswer extends Pick<Meaning, 'kind' | 'option'> { readonly code: ErrorCodeName, readonly message: string }

/**
 * Returns the error to send to the client; undefined if the error closes the connection, for example after a failed hook.
 * @param mayBeApplied whether the request may have been applied in spite of an error: it is a post or a change
 */
export function errorFor (error: unknown, mayBeApplied: boolean): ErrorAnswer | undefined {
  const meaning = meaningOf(error)
  if (meaning?.wireCode === ErrorCode.unknown && !mayBeApplied) return errorFor(new StoreUnavailable(), mayBeApplied)
  if (meaning?.wireCode !== undefined) {
    const { wireCode: code, kind, option } = meaning
    return { code, message: (error as Error).message, kind, ...option !== undefined && { option } }
  }
  if (meaning?.closeCode !== undefined) return undefined
  // An error outside the contract of the store or the roster doesn't show whether the operation was applied.
  return errorFor(new StoreUnknown(), mayBeApplied)
}
