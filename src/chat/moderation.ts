import { normalizeAddress, subjectOf } from '../connection/address.ts'
import { assertDuration, assertProperties, assertReason } from '../argument-checks.ts'
import { InvalidAddress } from '../errors.ts'
import { assertMemberId } from './member-id.ts'
import type { Roster } from '../roster.ts'

/** Options of `kick`. */
export interface KickOptions {
  /** sent to the member, at most 123 bytes of UTF-8; default 'kicked by a moderator' */
  readonly reason?: string | undefined
}

/** Options of `mute` and `ban`. */
export interface RestrictionOptions {
  /** ms, at least 1, by the clock of the backend; `Infinity` and anything above 100 years count as 100 years */
  readonly duration: number
  /** sent to the member, at most 123 bytes of UTF-8; default 'muted by a moderator' or 'banned by a moderator' */
  readonly reason?: string | undefined
}

/** The id of a member, or an IP address as in `request.ip`. An IPv6 address stands for its /64. */
export type BanSubject = string | { readonly address: string }

/** Restricts members. Each call checks all its arguments before it changes anything. */
export class Moderation {
  readonly #roster: Roster

  constructor (roster: Roster) {
    this.#roster = roster
  }

  async kick (id: string, options: KickOptions = {}): Promise<void> {
    assertMemberId('id', id)
    assertProperties('options', options, ['reason'])
    await this.#roster.restrict(id, { kind: 'kick', reason: reasonOf(options, 'kicked by a moderator') })
  }

  async mute (id: string, options: RestrictionOptions): Promise<void> {
    assertMemberId('id', id)
    await this.#restrict(id, 'mute', options, 'muted by a moderator')
  }

  async unmute (id: string): Promise<void> {
    assertMemberId('id', id)
    await this.#roster.restrict(id, { kind: 'mute', duration: 0, reason: '' })
  }

  async ban (who: BanSubject, options: RestrictionOptions): Promise<void> {
    await this.#restrict(subjectOfBan(who), 'ban', options, 'banned by a moderator')
  }

  async unban (who: BanSubject): Promise<void> {
    await this.#roster.restrict(subjectOfBan(who), { kind: 'ban', duration: 0, reason: '' })
  }

  async #restrict (who: string, kind: 'mute' | 'ban', options: RestrictionOptions, fallback: string): Promise<void> {
    assertProperties('options', options, ['duration', 'reason'])
    const { duration } = options
    assertDuration('options.duration', duration, 1)
    await this.#roster.restrict(who, { kind, duration, reason: reasonOf(options, fallback) })
  }
}

function reasonOf ({ reason }: KickOptions, fallback: string): string {
  if (reason === undefined || reason === '') return fallback
  assertReason('options.reason', reason)
  return reason
}

/** Returns the roster's subject for a member id or an address. @throws InvalidArgument, InvalidAddress */
function subjectOfBan (who: BanSubject): string {
  if (typeof who !== 'object') {
    assertMemberId('id', who)
    return who
  }
  assertProperties('who', who, ['address'])
  const { address } = who
  const normalized = typeof address === 'string' ? normalizeAddress(address) : undefined
  if (normalized === undefined) throw new InvalidAddress(typeof address === 'string' ? address : typeof address)
  return subjectOf(normalized)
}
