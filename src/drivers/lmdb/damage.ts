import { StoreDamaged, StoreUnavailable, StoreUnusable } from '../../errors.ts'

/**
 * LMDB error codes for damage: missing page, wrong page, wrong version, not an LMDB file. -30782 is the code of a transaction that
 * continues after an error, which a commit of several writes reports.
 */
const CODES = [-30797, -30796, -30794, -30793, -30782]

/** Returns whether an error of LMDB reports damage. */
export function isDamage (error: unknown): boolean { return CODES.includes(Number((error as { code?: unknown }).code)) }

/**
 * Returns an error of this package unchanged. Returns StoreDamaged for damage that LMDB reports, and for an error of decoding.
 * Returns StoreUnavailable for any other error.
 */
export function codedError (directory: string, error: unknown): unknown {
  const { code, message } = error as { code?: unknown, message: string }
  if (String(code).startsWith('FST_CHAT_')) return error
  const isDamaged = isDamage(error) || [SyntaxError, RangeError, TypeError].some((kind) => error instanceof kind)
  return isDamaged ? new StoreDamaged(directory, message, { cause: error }) : new StoreUnavailable({ cause: error })
}

/** Returns an error as `codedError` does, but StoreUnusable instead of StoreUnavailable: the store could not be opened. */
export function openError (directory: string, error: unknown): unknown {
  const coded = codedError(directory, error)
  if (!(coded instanceof StoreUnavailable)) return coded
  return new StoreUnusable(directory, (error as Error).message, { cause: error })
}
