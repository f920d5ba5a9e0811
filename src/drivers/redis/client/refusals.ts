/** States of Redis in which it refuses a script before the script's first write. */
const before = /^(?:ERR Error running script.*?-)?(?:OOM|READONLY|MISCONF|NOREPLICAS|LOADING|MASTERDOWN|CLUSTERDOWN|MOVED|ASK|TRYAGAIN|CROSSSLOT|BUSY|NOAUTH|NOSCRIPT)\b/

/** Right that is missing. Of a command in a script it is found when the script gets there: perhaps after a write. */
const denied = /^(?:ERR Error running script.*?-)?(?:NOPERM|ERR The user executing the script)|ACL failure in script/

/** Returns whether this is an error reply of Redis, rather than a broken connection. */
export function isReply (error: Error): boolean { return error.name === 'ReplyError' }

/** Returns whether a script that failed with this error certainly changed nothing. */
export function changedNothing ({ message }: Error): boolean {
  return before.test(message) || (message.startsWith('NOPERM') && !/script/i.test(message))
}

/** Returns whether the user of Redis lacks a right. */
export function isDenied (error: unknown): boolean {
  return error instanceof Error && denied.test(error.message)
}

/** Returns whether Redis refused a call because it has no memory left. */
export function isOutOfMemory (error: unknown): boolean {
  return error instanceof Error && error.cause instanceof Error && /^(?:ERR Error running script.*?-)?OOM\b/.test(error.cause.message)
}
