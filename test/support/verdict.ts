import type { Redis } from 'ioredis'
import type { Participant } from './chat-cluster.ts'

/** The faults in a room's posts. */
export interface Verdict {
  readonly posted: number
  readonly acked: number
  /** acknowledged and not stored; or stored and missing from the view of a participant without `complete: false` */
  lost: number
  /** acknowledged in an epoch that Redis has lost */
  forgotten: number
  /** stored, or delivered to a participant, twice */
  doubled: number
  /** delivered to a participant in another order or with other content than to others */
  disordered: number
  /** number of `complete: false` that participants received */
  incomplete: number
}

interface Stored { readonly position: string, readonly text: string }

/** Reads a room's stored entries from Redis, without the store under test. */
async function kept (redis: Redis, room: string): Promise<Stored[]> {
  const [tag, entries] = await Promise.all([redis.hget(`fastify-chat:{${room}}:room`, 'tag'), redis.xrange(`fastify-chat:{${room}}:log`, '-', '+')])
  return entries.map(([id, [, content]]) => ({ position: `${tag}-${id}`, text: (JSON.parse(content!) as [unknown, string])[1] }))
}

const epochOf = (position: string) => position.split('-')[0]
const numberOf = (position: string) => Number(position.split('-')[2])

/** Compares the participants' views of a room with each other and with Redis. */
export async function judge (redis: Redis, room: string, participants: readonly Participant[]): Promise<Verdict> {
  const log = await kept(redis, room)
  const positions = new Set(log.map(({ position }) => position))
  const epoch = epochOf(log[0]!.position)
  const acked = participants.flatMap((participant) => [...participant.acked].map(([text, position]) => ({ text, position })))
  const views = participants.flatMap(({ views }) => views.map((view) => view.map(({ position, text = '' }) => ({ position, text }))))
  const verdict: Verdict = {
    posted: participants.reduce((sum, { posted }) => sum + posted.length, 0),
    acked: acked.length,
    lost: acked.filter(({ position }) => epochOf(position) === epoch && !positions.has(position)).length,
    forgotten: acked.filter(({ position }) => epochOf(position) !== epoch).length,
    doubled: 0,
    disordered: 0,
    incomplete: participants.reduce((sum, { views }) => sum + views.length - 1, 0)
  }

  const texts = new Map<string, string>()
  const places = new Map<string, string>()
  for (const { position, text } of [...log, ...acked, ...views.flat()]) {
    if ((texts.get(position) ?? text) !== text) verdict.disordered++
    if ((places.get(text) ?? position) !== position) verdict.doubled++
    texts.set(position, text)
    places.set(text, position)
  }
  for (const entries of [log, ...views]) follow(entries, verdict)
  for (const { views: [first, ...others] } of participants) {
    const last = others.at(-1) ?? first!
    // A participant that never received complete: false has received everything.
    if (others.length === 0) verdict.lost += numberOf(last[0]!.position) - 1
    verdict.lost += numberOf(log.at(-1)!.position) - numberOf(last.at(-1)!.position)
    if (epochOf(last.at(-1)!.position) !== epoch) verdict.disordered++
  }
  return verdict
}

/** Counts gaps, duplicates and disorder in the offsets of one view. All offsets belong to one epoch. */
function follow (entries: readonly Stored[], verdict: Verdict): void {
  for (const [i, { position }] of entries.entries()) {
    const before = entries[i - 1]?.position
    if (before === undefined) continue
    const step = numberOf(position) - numberOf(before)
    if (epochOf(position) !== epochOf(before) || step < 0) verdict.disordered++
    else if (step === 0) verdict.doubled++
    else verdict.lost += step - 1
  }
}
