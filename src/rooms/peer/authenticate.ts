import { types } from 'node:util'
import type { FastifyRequest } from 'fastify'
import type { Connection } from '../../connection/connection.ts'
import { assertResult, hookFailed, resultErrors, run, type Hello, type Hooks } from '../../hooks.ts'
import { checkMember, checkMemberData } from './member-check.ts'
import { CloseCode } from '../../protocol.ts'
import type { PresentMember } from '../../roster.ts'
import { isRejection } from '../../thrown.ts'

/** ms since the Unix epoch: March 1973. A lower `expiresAt` is a time in seconds. */
const EARLIEST = 1e11

/** The checked result of `authenticate`. expiresAt: ms since the Unix epoch. */
export interface Authentication { readonly identity: PresentMember, readonly expiresAt: number | undefined }

/**
 * Calls the app's `authenticate`. Resolves with undefined when it has closed the connection: with 4401 if the app rejects
 * the client, with 1013 if the hook failed, so that the client reconnects.
 * @throws HookFailed for an invalid result
 */
export async function authenticate (
  hook: NonNullable<Hooks['authenticate']>,
  connection: Connection,
  request: FastifyRequest,
  hello: Hello
): Promise<Authentication | undefined> {
  let result: unknown
  try {
    result = await hook(request, hello)
  } catch (error) {
    if (isRejection(error)) connection.close(CloseCode.unauthenticated, 'not authenticated', { err: error })
    else connection.fail(hookFailed('authenticate', error), CloseCode.tryAgainLater, 'try again later')
    return undefined
  }
  if (result === null || result === undefined) {
    connection.close(CloseCode.unauthenticated, 'not authenticated')
    return undefined
  }
  return await run('authenticate', () => checkResult(result))
}

/**
 * Returns the checked result. Reads each property once: a getter may return another value the second time.
 * @throws InvalidHookResult
 */
function checkResult (result: unknown): Authentication {
  assertResult('authenticate', result, ['id', 'name', 'data', 'expiresAt'])
  const { id, name, data: given, expiresAt } = result
  const fault = resultErrors('authenticate')
  const member = checkMember(id, name ?? '', fault)
  const data = checkMemberData(given, fault)
  return { identity: data === undefined ? member : { ...member, data }, expiresAt: checkTime(expiresAt) }
}

function checkTime (given: unknown): number | undefined {
  if (given === undefined) return undefined
  // Not instanceof, which fails for a Date of another realm.
  const time: unknown = types.isDate(given) ? Date.prototype.getTime.call(given) : given
  const fault = resultErrors('authenticate')
  if (typeof time !== 'number' || Number.isNaN(time)) throw fault('expiresAt', 'must be a number of ms since the Unix epoch, or a valid Date')
  if (time < EARLIEST) throw fault('expiresAt', `is ${time}, but must be in ms since the Unix epoch: multiply the exp of a JWT, which is in seconds, by 1000`)
  return time
}
