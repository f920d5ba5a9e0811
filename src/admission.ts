import { createHash, randomBytes } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { addressOf, subjectOf } from './addresses.ts'
import type { Connection } from './connection.ts'
import { copyString } from './copy-string.ts'
import { InvalidName } from './errors.ts'
import { run, type Authenticated, type Hello, type Hooks } from './hooks.ts'
import { Member, type MemberContext } from './member.ts'
import { CloseCode, normalizeName } from './protocol.ts'
import { randomId } from './random-id.ts'

/** A new secret for a client to keep: with it, it is the same member again. */
export function newSession (): string {
  return randomBytes(32).toString('base64url')
}

/** Code points of a name that are looked at for what is wrong with it. */
const LOOKED_AT = 128

/** What a name must be that `normalizeName` doesn't take. Its length is what is wrong where each character alone would do. */
export function nameRule (given: string): string {
  const shown = [...given.trim()].slice(0, LOOKED_AT).every((character) => normalizeName(`x${character}x`) !== undefined)
  return shown
    ? 'must be 1 to 32 characters once normalised'
    : 'must be without control, bidirectional, zero-width, filler and private-use characters, variation selectors and line breaks'
}

/** The member id that goes with a session: nothing of it needs to be kept, and the secret can't be told from it. */
function idOfSession (session: string): string {
  return copyString(createHash('sha256').update(session).digest('base64url').slice(0, 22))
}

/**
 * Makes a member of a connection; undefined when it was closed instead, with the reason in its close code.
 * @param hello what a v1 client said; undefined for a plain client
 * @param name of a plain client, valid
 * @throws InvalidName
 */
export async function admit (
  connection: Connection,
  request: FastifyRequest | undefined,
  { hello, name = '' }: { hello?: Hello & { session: string } | undefined, name?: string | undefined },
  context: MemberContext
): Promise<Member | undefined> {
  const { hooks, roster } = context
  let identity = { id: hello === undefined ? randomId() : idOfSession(hello.session), name }
  let expiresAt: Authenticated['expiresAt']
  if (hello?.name !== undefined && hello.name !== '') {
    const shown = normalizeName(hello.name)
    if (shown === undefined) throw new InvalidName(nameRule(hello.name))
    identity = { ...identity, name: shown }
  }
  let arrival: ReturnType<typeof roster.restrictions> | undefined
  if (hooks.authenticate !== undefined) {
    arrival = roster.restrictions([])
    arrival.catch(() => { /* told below */ })
    const authenticated = await authenticate(hooks.authenticate, connection, request!, hello)
    if (authenticated === undefined) return undefined
    identity = { id: authenticated.id, name: authenticated.name ?? identity.name }
    expiresAt = authenticated.expiresAt
  }
  if (!connection.open) return undefined
  // Before its restrictions are asked for, so that none said meanwhile is missed.
  const member = new Member(connection, identity, context)
  if (expiresAt !== undefined) member.expire(Number(expiresAt))
  try {
    const { name: address } = connection.address
    const subjects = address === '' ? [identity.id] : [identity.id, subjectOf(address)]
    const [known, arrived] = await Promise.all([roster.restrictions(subjects), arrival])
    member.restrictions.admit((arrived ?? known).moment, known)
  } catch (error) {
    member.ended()
    throw error
  }
  if (connection.open) return member
  member.ended()
  return undefined
}

async function authenticate (
  ask: NonNullable<Hooks['authenticate']>,
  connection: Connection,
  request: FastifyRequest,
  hello: Hello | undefined
): Promise<Authenticated | undefined> {
  let answer: Authenticated | null | undefined
  let err: unknown
  try {
    answer = await ask(request, hello)
  } catch (error) {
    err = error
  }
  if (answer === null || answer === undefined) {
    connection.close(CloseCode.unauthenticated, 'not authenticated', { err })
    return undefined
  }
  const { id, name, expiresAt } = answer
  await run('authenticate', () => {
    if (typeof id !== 'string' || id === '') throw new TypeError('authenticate must give an id, a string that is not empty')
    if (addressOf(id) !== undefined) throw new TypeError("authenticate must not give an id that begins with 'address:'")
    if (typeof (name ?? '') !== 'string') throw new TypeError('authenticate must give a name as a string, or none')
    if (expiresAt !== undefined && Number.isNaN(Number(expiresAt))) throw new TypeError('authenticate must give expiresAt as ms or a Date')
  })
  return answer
}
