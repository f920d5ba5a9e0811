import type { FastifyBaseLogger } from 'fastify'

/** HTTP statuses of errors by which the app rejects a client. Any other error is a fault of the app. */
const REJECTING = [401, 403]

/**
 * Returns the message of a thrown value. Never throws, even if a getter or `toString` does. Lone surrogates become U+FFFD,
 * since a strict JSON parser rejects a frame that contains one.
 */
export function messageOf (thrown: unknown): string {
  try {
    const message: unknown = thrown instanceof Error ? thrown.message : thrown
    return String(message).toWellFormed()
  } catch {
    return 'an error with an unreadable message'
  }
}

/** Returns whether a thrown value has `statusCode` or `status` 401 or 403. */
export function isRejection (thrown: unknown): boolean {
  try {
    const { statusCode, status } = Object(thrown) as { statusCode?: unknown, status?: unknown }
    return REJECTING.some((code) => code === statusCode || code === status)
  } catch {
    return false
  }
}

/** Logs a line whose `err` may be any thrown value: its getters may throw in the logger. */
export function logSafely (log: FastifyBaseLogger, level: 'info' | 'warn' | 'error', line: object, message: string): void {
  try {
    log[level](line, message)
  } catch {
    log[level]({ ...line, err: undefined }, `${message} (the error cannot be serialized)`)
  }
}
