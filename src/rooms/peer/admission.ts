import { createHash, randomBytes } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { subjectOf } from '../../connection/address.ts'
import type { DirectReceiver } from './attendances.ts'
import { authenticate } from './authenticate.ts'
import type { Connection } from '../../connection/connection.ts'
import { copyString } from '../../copy-string.ts'
import { InvalidName } from '../../errors.ts'
import type { Hello, Hooks } from '../../hooks.ts'
import { Peer, type PeerContext } from './peer.ts'
import { checkName } from '../../member-name.ts'
import { memberForms } from '../membership/member-forms.ts'
import { randomId } from '../random-id.ts'
import type { Member } from '../../store.ts'

/** Returns a new session secret. A client that sends it again gets the same member id. */
export function newSession (): string {
  return randomBytes(32).toString('base64url')
}

/** Returns the member id of a session. It is a hash: no session is stored, and the id doesn't reveal the secret. */
function idOfSession (session: string): string {
  return copyString(createHash('sha256').update(session).digest('base64url').slice(0, 22))
}

/**
 * Authenticates a connection and applies the restrictions of its member and address. Resolves with undefined when the
 * connection was closed meanwhile. Rejects as `roster.restrictions` does.
 * @param claims properties that the client sent; a plain client has no session
 * @param direct receives the messages to the member; undefined if the wire has none
 * @throws InvalidName, HookFailed
 */
export async function admit (
  connection: Connection,
  request: FastifyRequest | undefined,
  claims: Hello,
  hooks: Hooks,
  context: PeerContext,
  direct?: DirectReceiver
): Promise<Peer | undefined> {
  const { roster } = context
  // Only the known properties: the app might trust others that a client adds.
  const hello = { name: normalizedName(claims.name), token: claims.token, session: claims.session }
  let arrival: ReturnType<typeof roster.restrictions> | undefined
  if (hooks.authenticate !== undefined) {
    arrival = roster.restrictions([])
    arrival.catch(() => { /* rethrown below */ })
  }
  const authentication = hooks.authenticate === undefined
    ? { identity: anonymousMember(hello), expiresAt: undefined }
    : await authenticate(hooks.authenticate, connection, request!, hello)
  if (authentication === undefined || !connection.open) return undefined
  const { identity, expiresAt } = authentication
  // Constructed before its restrictions are read, so that none that is reported meanwhile is missed.
  const peer = new Peer(connection, memberForms(identity), hooks, context)
  if (expiresAt !== undefined) peer.expire(expiresAt)
  try {
    const { name: address } = connection.address
    const subjects = address === '' ? [identity.id] : [identity.id, subjectOf(address)]
    const [known, arrived] = await Promise.all([roster.restrictions(subjects), arrival, direct && peer.attend(direct)])
    peer.restrictions.admit((arrived ?? known).moment, known)
  } catch (error) {
    peer.ended()
    throw error
  }
  if (connection.open) return peer
  peer.ended()
  return undefined
}

/** Returns the member of a client in a chat without `authenticate`. */
function anonymousMember ({ session, name = '' }: Hello): Member {
  return { id: session === undefined ? randomId() : idOfSession(session), name }
}

/** Returns the normalised name; undefined if the client sent none. @throws InvalidName */
function normalizedName (given: string | undefined): string | undefined {
  if (given === undefined || given === '') return undefined
  const { name, problem } = checkName(given)
  if (problem !== undefined) throw new InvalidName(problem)
  return name
}
