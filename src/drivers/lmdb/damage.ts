import { StoreDamaged, StoreUnavailable } from '../../errors.ts'

/**
 * LMDB's error codes for a damaged file: missing page, wrong page, wrong version, not an LMDB file; and for a transaction that
 * goes on after one of these, which is what a commit of several writes reports.
 */
const CODES = [-30797, -30796, -30794, -30793, -30782]

/** Returns true for an error by which LMDB reports damage. */
export function isDamage (error: unknown): boolean { return CODES.includes(Number((error as { code?: unknown }).code)) }

/** Returns an error of this package unchanged; one of LMDB or of decoding as StoreDamaged; any other as StoreUnavailable. */
export function codedError (directory: string, error: unknown): unknown {
  const { code, message } = error as { code?: unknown, message: string }
  if (String(code).startsWith('FST_CHAT_')) return error
  const isDamaged = isDamage(error) || [SyntaxError, RangeError, TypeError].some((kind) => error instanceof kind)
  return isDamaged ? new StoreDamaged(directory, message, { cause: error }) : new StoreUnavailable({ cause: error })
}
