import { ErrorCode, type ErrorCodeName } from '../protocol.ts'

const codes = new Map<unknown, ErrorCodeName>(Object.entries({
  FST_CHAT_STALE: ErrorCode.stalePost,
  FST_CHAT_REUSED: ErrorCode.reusedId,
  FST_CHAT_BUSY: ErrorCode.unavailable,
  FST_CHAT_UNAVAILABLE: ErrorCode.unavailable,
  FST_CHAT_STORE_CLOSED: ErrorCode.unavailable,
  FST_CHAT_ROSTER_CLOSED: ErrorCode.unavailable,
  FST_CHAT_UNKNOWN: ErrorCode.unknown,
  FST_CHAT_TOO_MANY_ROOMS: ErrorCode.tooManyRooms,
  FST_CHAT_TOO_MANY_ROOMS_OF_ADDRESS: ErrorCode.tooManyRooms,
  FST_CHAT_NOT_JOINED: ErrorCode.notJoined,
  FST_CHAT_ALREADY_JOINED: ErrorCode.alreadyJoined,
  FST_CHAT_FORBIDDEN: ErrorCode.forbidden,
  FST_CHAT_REFUSED: ErrorCode.refused,
  FST_CHAT_POST_TOO_LARGE: ErrorCode.refused,
  FST_CHAT_MUTED: ErrorCode.muted,
  FST_CHAT_INVALID_DATA: ErrorCode.invalid,
  FST_CHAT_INVALID_NAME: ErrorCode.invalid
}))

/** Returns the error to send to the client; undefined if a hook of the app failed, which closes the connection. */
export function errorFor (error: unknown): { code: ErrorCodeName, message: string } | undefined {
  const { code, message } = error instanceof Error ? error as Error & { code?: unknown } : {}
  if (code === 'FST_CHAT_HOOK_FAILED') return undefined
  const known = codes.get(code)
  // An error outside the contract of the store or the roster doesn't show whether the operation was applied.
  return known === undefined
    ? { code: ErrorCode.unknown, message: 'it is not known whether this was done' }
    : { code: known, message: message ?? '' }
}
