import { Forbidden } from '../../errors.ts'
import type { Revocation } from '../batch/format.ts'

/** ms for which an answer of `authorize` is reused for signals: clients send `typing` every few seconds. */
const SIGNALS_ALLOWED = 5_000

/** The membership that has the rights. */
export interface RightsHolder {
  /** Name of the room. */
  readonly room: string
  readonly hasJoined: boolean
  readonly hasEnded: boolean
}

/** The peer of a membership. */
export interface RightsOwner {
  /** Asks the app whether the member may be in a room. Returns undefined if no hook decides it. Rejects with HookFailed. */
  mayJoin (room: string): Promise<boolean> | undefined
  /** Ends a membership whose member has joined and may no longer be in the room. */
  revoke (membership: RightsHolder, revocation: Revocation): void
  /** Called when the hook has failed for a member that has joined. Closes the connection. */
  failed (error: unknown): void
}

/** For a membership without a peer. */
const NO_OWNER: RightsOwner = { mayJoin: () => undefined, revoke () {}, failed () {} }

/**
 * The rights of a member in a room that it has joined, or is joining. The membership is suspended while the app is asked for them: the
 * member receives nothing, and its requests wait.
 */
export class MembershipRights {
  readonly #membership: RightsHolder
  readonly #owner: RightsOwner
  #questions = 0
  #known: Promise<void> | undefined
  #settle: (() => void) | undefined
  #isRevoked = false
  #failure: unknown
  /** The last answer of `authorize` for signals. until: as of `performance.now()`. questions: as of the answer. */
  #signals: { readonly isAllowed: boolean, readonly until: number, readonly questions: number } | undefined

  constructor (membership: RightsHolder, owner = NO_OWNER) {
    this.#membership = membership
    this.#owner = owner
  }

  /** How often the rights were in question, or revoked. */
  get questions (): number { return this.#questions }

  /** Resolves when the rights are known or revoked, or the membership has ended; undefined if they are known. Never rejects. */
  get known (): Promise<void> | undefined { return this.#known }

  /** Whether they were revoked, or the hook has failed. */
  get areRefused (): boolean { return this.#isRevoked || this.#failure !== undefined }

  /** Asks the app anew. Returns whether the membership is suspended until it answers: without a hook it isn't. */
  question (): boolean {
    this.#questions++
    if (this.#known !== undefined) return true
    const answer = this.#owner.mayJoin(this.#membership.room)
    if (answer === undefined) return false
    this.#known = new Promise((resolve) => { this.#settle = resolve })
    void this.#follow(answer)
    return true
  }

  /** Called when the member is removed. The app is asked whether a member that hasn't joined yet may join in spite of it. */
  remove (message: string): void {
    if (this.#membership.hasJoined || !this.question()) this.#revoke({ code: 'removed', message })
  }

  /** Called when the membership has ended. */
  end (): void { this.#settle?.() }

  /** @throws Forbidden if the rights were revoked; HookFailed if the hook has failed */
  assertMay (action: string): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#isRevoked) throw new Forbidden(action, this.#membership.room)
  }

  /** The answer that was passed to `rememberSignals`; undefined when it is no longer valid. */
  get isSignalAllowed (): boolean | undefined {
    const answer = this.#signals
    return answer !== undefined && answer.until > performance.now() && answer.questions === this.#questions ? answer.isAllowed : undefined
  }

  /** Remembers the answer of `authorize` for signals for `SIGNALS_ALLOWED` ms. */
  rememberSignals (isAllowed: boolean): void {
    this.#signals = { isAllowed, until: performance.now() + SIGNALS_ALLOWED, questions: this.#questions }
  }

  async #follow (first: Promise<boolean>): Promise<void> {
    const { room } = this.#membership
    try {
      for (let answer: Promise<boolean> | undefined = first; answer !== undefined;) {
        const asked: number = this.#questions
        if (!await answer) return this.#revoke({ code: 'forbidden', message: new Forbidden('join', room).message })
        // An answer from before another question may be out of date.
        answer = asked === this.#questions ? undefined : this.#owner.mayJoin(room)
      }
      if (!this.#isRevoked) this.#known = undefined
    } catch (error) {
      if (!this.#isRevoked && !this.#membership.hasEnded) this.#fail(error)
    }
    this.#settle?.()
  }

  #revoke (revocation: Revocation): void {
    if (this.#isRevoked || this.#membership.hasEnded) return
    this.#questions++
    this.#isRevoked = true
    if (this.#membership.hasJoined) this.#owner.revoke(this.#membership, revocation)
    this.#settle?.()
  }

  #fail (error: unknown): void {
    this.#questions++
    this.#failure = error
    if (this.#membership.hasJoined) this.#owner.failed(error)
  }
}
