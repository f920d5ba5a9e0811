import { assertFunction, assertText } from '../../../argument-checks.ts'
import { isObject } from '../../../checks.ts'
import type { RedisClient } from '../client/client.ts'
import { memberChannel } from './keys.ts'
import { Subscription } from './subscription.ts'

/** A member that is attended on this node. attendances: of its connections. */
interface AttendedMember {
  readonly attendances: Set<{ readonly onData: (data: string) => void }>
  readonly subscription: Subscription
}

/** Messages to members. Each node subscribes to the channels of the members that it attends. */
export class DirectMessages {
  readonly #client: RedisClient
  readonly #members = new Map<string, AttendedMember>()
  /** Members whose channel could not be subscribed. */
  readonly #failed = new Set<AttendedMember>()

  constructor (client: RedisClient) {
    this.#client = client
  }

  /** Resolves with whether the message was passed to a node that attends the member. @throws InvalidArgument */
  async send (memberId: string, data: string): Promise<boolean> {
    assertText('memberId', memberId)
    assertText('data', data)
    const receivers = await this.#client.command(this.#client.publishCommand, memberChannel(this.#client, memberId), JSON.stringify({ data }))
    return Number(receivers) > 0
  }

  /**
   * Resolves with an unsubscribe function when the subscription is live. While Redis is down, resolves when the attempt to
   * subscribe has failed. @throws InvalidArgument
   */
  async attend (memberId: string, onData: (data: string) => void): Promise<() => void> {
    assertText('memberId', memberId)
    assertFunction('onData', onData)
    const attendance = { onData }
    const member = this.#members.get(memberId) ?? this.#add(memberId)
    member.attendances.add(attendance)
    await this.#start(member)
    return () => {
      if (member.attendances.delete(attendance) && member.attendances.size === 0) this.#end(memberId, member)
    }
  }

  /** Subscribes to the channels that could not be subscribed. */
  retry (): void {
    for (const member of this.#failed) this.#start(member).catch(() => { /* it never rejects */ })
  }

  close (): void {
    for (const [memberId, member] of this.#members) {
      member.attendances.clear()
      this.#end(memberId, member)
    }
  }

  #add (memberId: string): AttendedMember {
    const attendances: AttendedMember['attendances'] = new Set()
    const subscription = new Subscription(this.#client, memberChannel(this.#client, memberId), (message) => {
      const data = decode(message)
      if (data !== undefined) for (const { onData } of attendances) onData(data)
    })
    const member = { attendances, subscription }
    this.#members.set(memberId, member)
    return member
  }

  async #start (member: AttendedMember): Promise<void> {
    try {
      await member.subscription.start()
      this.#failed.delete(member)
    } catch {
      if (member.attendances.size > 0) this.#failed.add(member)
    }
  }

  #end (memberId: string, member: AttendedMember): void {
    this.#members.delete(memberId)
    this.#failed.delete(member)
    member.subscription.stop()
  }
}

/** Returns the data of a message; undefined for one of a later version. @throws SyntaxError for a foreign message */
function decode (message: Buffer): string | undefined {
  const decoded: unknown = JSON.parse(message.toString())
  return isObject(decoded) && typeof decoded['data'] === 'string' ? decoded['data'] : undefined
}
