import { listOf, withoutValue, withValue, type OneOrMore } from '../../one-or-more.ts'
import { parseMemberMessage, type MemberMessage } from '../reads/member-message.ts'
import type { Roster } from '../../roster.ts'

/** A connection that receives the messages to its member. */
export interface DirectReceiver {
  /** @param data JSON text */
  receiveDirect (data: string): void
}

/** A member that is attended. receivers: its connections. unsubscribe: a promise until later messages will be received. */
interface Attendance { receivers: OneOrMore<DirectReceiver> | undefined, unsubscribe: Promise<() => void> | (() => void) }

/**
 * Receives the messages to members that have connections on this node. Attends each member once, however many connections it has:
 * an attendance is a subscription of the backend.
 */
export class Attendances {
  readonly #roster: Pick<Roster, 'attend'>
  readonly #onOther: (memberId: string, message: MemberMessage) => void
  readonly #byMember = new Map<string, Attendance>()

  /** @param onOther called with the messages of the chat itself */
  constructor (roster: Pick<Roster, 'attend'>, onOther: (memberId: string, message: MemberMessage) => void) {
    this.#roster = roster
    this.#onOther = onOther
  }

  /**
   * Passes each message to a member to the receiver, until `end`. Resolves once later messages will be received. Rejects as `attend` of
   * the roster does; `end` MUST be called then too.
   */
  async begin (memberId: string, receiver: DirectReceiver): Promise<void> {
    const attendance = this.#byMember.get(memberId) ?? this.#attend(memberId)
    attendance.receivers = withValue(attendance.receivers, receiver)
    await attendance.unsubscribe
  }

  /** Changes nothing for a receiver that doesn't attend the member. */
  end (memberId: string, receiver: DirectReceiver): void {
    const attendance = this.#byMember.get(memberId)
    if (attendance === undefined) return
    attendance.receivers = withoutValue(attendance.receivers, receiver)
    if (attendance.receivers !== undefined) return
    this.#byMember.delete(memberId)
    if (typeof attendance.unsubscribe === 'function') attendance.unsubscribe()
    else attendance.unsubscribe.then((unsubscribe) => unsubscribe(), () => { /* there is no subscription */ })
  }

  #attend (memberId: string): Attendance {
    const subscribing = this.#roster.attend(memberId, (data) => {
      const message = parseMemberMessage(data)
      if (message === undefined) return
      if (!('direct' in message)) return this.#onOther(memberId, message)
      for (const receiver of listOf(attendance.receivers)) receiver.receiveDirect(message.direct)
    })
    const attendance: Attendance = { receivers: undefined, unsubscribe: subscribing }
    this.#byMember.set(memberId, attendance)
    subscribing.then(
      (unsubscribe) => { attendance.unsubscribe = unsubscribe },
      // A later connection of the member must not share the failure.
      () => { if (this.#byMember.get(memberId) === attendance) this.#byMember.delete(memberId) }
    )
    return attendance
  }
}
