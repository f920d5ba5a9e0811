import { Forbidden } from '../../errors.ts'
import type { Membership } from '../membership/membership.ts'

/**
 * Applies a request of a membership. If the rights of its member were in question meanwhile, asks the app for this request again. Waits
 * while the membership is suspended.
 * @param ask asks the app. Rejects if it doesn't allow the request
 * @param prepare asks the app too. Resolves with what to apply
 * @param apply called in the tick in which the member has its rights
 * @throws Forbidden, HookFailed if the rights of the member were revoked, or aren't known when the membership ends
 */
export async function whileAllowed<Prepared, Result> (
  membership: Membership, action: string, ask: () => Promise<void>, prepare: () => Promise<Prepared>, apply: (prepared: Prepared) => Result
): Promise<Result> {
  await waitForRights(membership, action)
  let { questions } = membership
  const prepared = await prepare()
  while (membership.isSuspended || questions !== membership.questions) {
    await waitForRights(membership, action)
    questions = membership.questions
    await ask()
  }
  membership.assertMay(action)
  return apply(prepared)
}

/**
 * Reads for a request of a membership. If the rights of its member were in question meanwhile, reads again, so that nothing that was read
 * waits for the app.
 * @param read asks the app, and then reads
 * @param answer called in the tick in which the member has its rights
 * @throws Forbidden, HookFailed as `whileAllowed`
 */
export async function readWhileAllowed<Page> (
  membership: Membership, action: string, read: () => Promise<Page>, answer: (page: Page) => void
): Promise<void> {
  for (let isAnswered = false; !isAnswered;) {
    await waitForRights(membership, action)
    const { questions } = membership
    isAnswered = await read().then((page) => {
      if (membership.isSuspended || questions !== membership.questions) return false
      membership.assertMay(action)
      answer(page)
      return true
    })
  }
}

async function waitForRights (membership: Membership, action: string): Promise<void> {
  while (membership.isSuspended && !membership.isRefused && !membership.hasEnded) await membership.rightsKnown
  membership.assertMay(action)
  if (membership.isSuspended) throw new Forbidden(action, membership.room)
}
