import { types } from 'node:util'
import type { FastifyRequest } from 'fastify'
import type { Connection } from '../connection/connection.ts'
import { InvalidHookResult } from '../errors.ts'
import { hookFailed, resultErrors, run, type Authenticated, type Hello, type Hooks } from '../hooks.ts'
import { checkMember } from './member-check.ts'
import { CloseCode } from '../protocol.ts'
import type { Member } from '../store.ts'
import { isRejection } from '../thrown.ts'

/** A checked answer of `authenticate`. expiresAt: ms since the epoch. */
export interface Authentication { readonly identity: Member, readonly expiresAt: number | undefined }

const properties: ReadonlyArray<keyof Authenticated> = ['id', 'name', 'expiresAt']

/**
 * Calls the app's `authenticate`. Resolves with undefined when the connection was closed instead: with 4401 when the app
 * rejects the client, with 1013 when the hook failed, so that the client comes back.
 * @throws HookFailed for an answer that isn't one
 */
export async function authenticate (
  ask: NonNullable<Hooks['authenticate']>,
  connection: Connection,
  request: FastifyRequest,
  hello: Hello
): Promise<Authentication | undefined> {
  let answer: unknown
  try {
    answer = await ask(request, hello)
  } catch (error) {
    if (isRejection(error)) connection.close(CloseCode.unauthenticated, 'not authenticated', { err: error })
    else connection.fail(hookFailed('authenticate', error), CloseCode.tryAgainLater, 'try again later')
    return undefined
  }
  if (answer === null || answer === undefined) {
    connection.close(CloseCode.unauthenticated, 'not authenticated')
    return undefined
  }
  return await run('authenticate', () => check(answer))
}

/**
 * Reads each property of an answer once: a getter may return something else the second time.
 * @throws InvalidHookResult
 */
function check (answer: unknown): Authentication {
  if (typeof answer !== 'object' || answer === null) throw new InvalidHookResult('authenticate', 'must return an object, or null')
  const unknown = Object.keys(answer).find((name) => !properties.some((known) => known === name))
  if (unknown !== undefined) {
    throw new InvalidHookResult('authenticate', `returned the unknown property '${unknown}'; there are ${properties.join(', ')}`)
  }
  const { id, name, expiresAt } = answer as Record<keyof Authenticated, unknown>
  return { identity: checkMember(id, name ?? '', resultErrors('authenticate')), expiresAt: checkTime(expiresAt) }
}

function checkTime (given: unknown): number | undefined {
  if (given === undefined) return undefined
  // Not instanceof: a Date may be of another realm.
  const time: unknown = types.isDate(given) ? Date.prototype.getTime.call(given) : given
  if (typeof time === 'number' && !Number.isNaN(time)) return time
  throw resultErrors('authenticate')('expiresAt', 'must be a number of ms since the epoch, or a valid Date')
}
