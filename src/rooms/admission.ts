import { createHash, randomBytes } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { subjectOf } from '../connection/address.ts'
import { authenticate } from './authenticate.ts'
import type { Connection } from '../connection/connection.ts'
import { copyString } from '../copy-string.ts'
import { InvalidName } from '../errors.ts'
import type { Hello } from '../hooks.ts'
import { Peer, type PeerContext } from './peer.ts'
import { nameRule } from './member-check.ts'
import { normalizeName } from '../protocol.ts'
import { randomId } from './random-id.ts'
import type { Member } from '../store.ts'

/** A new secret for a client to keep: with it, it is the same member again. */
export function newSession (): string {
  return randomBytes(32).toString('base64url')
}

/** The member id that goes with a session: nothing of it needs to be kept, and the secret can't be told from it. */
function idOfSession (session: string): string {
  return copyString(createHash('sha256').update(session).digest('base64url').slice(0, 22))
}

/**
 * Makes a member of a connection; undefined when it was closed instead, with the reason in its close code.
 * @param said what the client said of itself; a plain client has no session
 * @throws InvalidName, HookFailed
 */
export async function admit (
  connection: Connection,
  request: FastifyRequest | undefined,
  said: Hello,
  context: PeerContext
): Promise<Peer | undefined> {
  const { hooks, roster } = context
  // Not the whole of what came: a client may send properties that the app takes for its own.
  const hello = { name: shownName(said.name), token: said.token, session: said.session }
  let arrival: ReturnType<typeof roster.restrictions> | undefined
  if (hooks.authenticate !== undefined) {
    arrival = roster.restrictions([])
    arrival.catch(() => { /* thrown below */ })
  }
  const authentication = hooks.authenticate === undefined
    ? { identity: ownIdentity(hello), expiresAt: undefined }
    : await authenticate(hooks.authenticate, connection, request!, hello)
  if (authentication === undefined || !connection.open) return undefined
  const { identity, expiresAt } = authentication
  // Before its restrictions are asked for, so that none said meanwhile is missed.
  const member = new Peer(connection, identity, context)
  if (expiresAt !== undefined) member.expire(expiresAt)
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

/** Of a client that nobody authenticates. */
function ownIdentity ({ session, name = '' }: Hello): Member {
  return { id: session === undefined ? randomId() : idOfSession(session), name }
}

/** @throws InvalidName */
function shownName (given: string | undefined): string | undefined {
  if (given === undefined || given === '') return undefined
  const name = normalizeName(given)
  if (name === undefined) throw new InvalidName(nameRule(given))
  return name
}
