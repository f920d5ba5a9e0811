import { StoreDenied } from '../../../errors.ts'

/** Errors with which Redis rejects a script before its first write. */
const rejectedBeforeWrite = /^(?:ERR Error running script.*?-)?(?:OOM|READONLY|MISCONF|NOREPLICAS|LOADING|MASTERDOWN|CLUSTERDOWN|MOVED|ASK|TRYAGAIN|CROSSSLOT|BUSY|NOAUTH|NOSCRIPT)\b/

/** Errors of a missing permission. Redis checks a command in a script when it is reached, perhaps after a write. */
const permissionDenied = /^(?:ERR Error running script.*?-)?(?:NOPERM|ERR The user executing the script)|ACL failure in script/

/** Returns whether an error is a reply of Redis, not a failure of the connection. */
export function isReply (error: Pick<Error, 'name'>): boolean { return error.name === 'ReplyError' }

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

/** Returns whether Redis rejected a script because its keys don't share a hash slot. */
export function isCrossSlot (error: unknown): boolean {
  return error instanceof Error && error.cause instanceof Error && /^(?:ERR Error running script.*?-)?CROSSSLOT\b/.test(error.cause.message)
}

/**
 * Removes a command's arguments from its error, because they have messages and passwords. Returns the command, in lower
 * case; undefined if the error isn't of a command.
 */
export function withoutArguments (error: Error & { command?: { name: string } }): string | undefined {
  const name = error.command?.name.toLowerCase()
  delete error.command
  return name
}

/** Returns the error that explains why a connection failed. ioredis wraps it for a Cluster, and Node for several addresses. */
export function connectionFailure (error: Error & { lastNodeError?: Error, errors?: readonly Error[] }): Error {
  if (error.lastNodeError != null) return connectionFailure(error.lastNodeError)
  return error.message === '' && error.errors !== undefined ? new Error(error.errors.map(({ message }) => message).join(', ')) : error
}

/**
 * Returns why Redis rejected what a check needs; undefined if the check failed for another reason.
 * @param isCluster whether the client knows all masters
 */
export function rejectionOf (error: Error, isCluster: boolean): string | undefined {
  if (error instanceof StoreDenied) return error.message
  const { cause } = error
  if (!(cause instanceof Error) || !isReply(cause)) return undefined
  return cause.message.startsWith('MOVED') && !isCluster
    ? "this Redis is a node of a Cluster: pass a Cluster of ioredis as the option 'client'"
    : cause.message
}
