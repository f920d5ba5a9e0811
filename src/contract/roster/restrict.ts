import type { Restriction, Roster, TimedRestriction } from '../../roster.ts'
import type { Watcher } from './watcher.ts'

export const kick: Restriction = { kind: 'kick', reason: 'go' }
export const mute: Restriction = { kind: 'mute', duration: 1_000_000, reason: 'loud' }
export const ban: Restriction = { kind: 'ban', duration: 1_000_000, reason: 'grüße\n"' }
export const unmute: Restriction = { kind: 'mute', duration: 0, reason: '' }
export const unban: Restriction = { kind: 'ban', duration: 0, reason: '' }

/** Returns each reported restriction once. Duplicates differ only in the order in which they were received. */
export function reported ({ told }: Watcher<[string, TimedRestriction]>): Array<[string, Restriction]> {
  const byMoment = new Map(told.map(([who, what]) => [what.moment, [who, what] as const]))
  return [...byMoment.values()].map(([who, { moment, ...what }]) => [who, what])
}

/** Resolves with the remaining duration, in ms, of a subject's restriction of this kind; undefined when there is none. */
export async function left (roster: Roster, who: string, kind: Restriction['kind']): Promise<number | undefined> {
  const { restrictions } = await roster.restrictions([who])
  const found = restrictions.filter((what) => what.kind === kind)
  if (found.length > 1) throw new Error(`${found.length} of ${kind}`)
  const [what] = found
  return what === undefined || what.kind === 'kick' ? undefined : what.duration
}
