import { parseMemberMessage, type MemberMessage } from '../reads/member-message.ts'
import type { Roster } from '../../roster.ts'

/** A connection that receives the messages to its member. */
export interface DirectReceiver {
  /** @param data JSON text */
  receiveDirect (data: string): void
}

/** A member that is attended. receivers: its connections, in most cases one. */
interface Attendance { receivers: DirectReceiver | readonly DirectReceiver[], readonly subscribed: Promise<() => void> }

const NONE: readonly DirectReceiver[] = []

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
  begin (memberId: string, receiver: DirectReceiver): Promise<unknown> {
    const attendance = this.#byMember.get(memberId) ?? this.#attend(memberId)
    const others = [attendance.receivers].flat()
    attendance.receivers = others.length === 0 ? receiver : [...others, receiver]
    return attendance.subscribed
  }

  /** Changes nothing for a receiver that doesn't attend the member. */
  end (memberId: string, receiver: DirectReceiver): void {
    const attendance = this.#byMember.get(memberId)
    if (attendance === undefined) return
    const receivers = [attendance.receivers].flat().filter((other) => other !== receiver)
    attendance.receivers = receivers
    if (receivers.length > 0) return
    this.#byMember.delete(memberId)
    attendance.subscribed.then((unsubscribe) => unsubscribe(), () => { /* there is no subscription */ })
  }

  #attend (memberId: string): Attendance {
    const attendance: Attendance = {
      receivers: NONE,
      subscribed: this.#roster.attend(memberId, (data) => {
        const message = parseMemberMessage(data)
        if (message === undefined) return
        if (!('direct' in message)) return this.#onOther(memberId, message)
        for (const receiver of [attendance.receivers].flat()) receiver.receiveDirect(message.direct)
      })
    }
    this.#byMember.set(memberId, attendance)
    // A later connection of the member must not share the failure.
    attendance.subscribed.catch(() => { if (this.#byMember.get(memberId) === attendance) this.#byMember.delete(memberId) })
    return attendance
  }
}
