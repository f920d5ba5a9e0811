/** Errors with which Redis rejects a script before its first write. */
const rejectedBeforeWrite = /^(?:ERR Error running script.*?-)?(?:OOM|READONLY|MISCONF|NOREPLICAS|LOADING|MASTERDOWN|CLUSTERDOWN|MOVED|ASK|TRYAGAIN|CROSSSLOT|BUSY|NOAUTH|NOSCRIPT)\b/

/** Errors of a missing permission. Redis checks a command in a script when it is reached, perhaps after a write. */
const permissionDenied = /^(?:ERR Error running script.*?-)?(?:NOPERM|ERR The user executing the script)|ACL failure in script/

/** Returns whether an error is a reply of Redis, not a failure of the connection. */
export function isReply (error: Error): boolean { return error.name === 'ReplyError' }

/** Returns whether a script that failed with this error certainly changed nothing. */
export function changedNothing ({ message }: Error): boolean {
  return rejectedBeforeWrite.test(message) || (message.startsWith('NOPERM') && !/script/i.test(message))
}

/** Returns whether Redis rejected a command for a missing permission. */
export function isDenied (error: unknown): boolean {
  return error instanceof Error && permissionDenied.test(error.message)
}

/** Returns whether Redis rejected a command because it is out of memory. */
export function isOutOfMemory (error: unknown): boolean {
  return error instanceof Error && error.cause instanceof Error && /^(?:ERR Error running script.*?-)?OOM\b/.test(error.cause.message)
}
