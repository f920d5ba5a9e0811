import { assertDuration, assertProperties, assertReason, assertText } from '../argument-checks.ts'
import { InvalidArgument } from '../errors.ts'
import { LONGEST_DURATION, type Restriction } from '../roster.ts'

/**
 * Returns the restriction to keep. Its duration is an integer of at most `LONGEST_DURATION` ms.
 * @throws InvalidArgument
 */
export function checkedRestriction (subject: unknown, restriction: unknown): Restriction {
  assertText('subject', subject)
  assertProperties('restriction', restriction, ['kind', 'duration', 'reason'])
  const { kind, duration, reason } = restriction as Record<string, unknown>
  assertReason('restriction.reason', reason)
  if (kind === 'kick') {
    if (duration !== undefined) throw new InvalidArgument('restriction.duration', 'is not allowed for a kick')
    return { kind, reason }
  }
  if (kind !== 'mute' && kind !== 'ban') throw new InvalidArgument('restriction.kind', "must be 'kick', 'mute' or 'ban'")
  assertDuration('restriction.duration', duration, 0)
  return { kind, duration: Math.ceil(Math.min(duration, LONGEST_DURATION)), reason }
}
