import type { Redis } from 'ioredis'
import type { Participant } from './chat-cluster.ts'

/** What became of the posts of a room. */
export interface Verdict {
  readonly posted: number
  readonly acked: number
  /** acknowledged, and not kept; or kept, and missing from the view of someone who was not told that it is */
  lost: number
  /** acknowledged in a life of the room that Redis has lost */
  forgotten: number
  /** stored, or shown to someone, twice */
  doubled: number
  /** shown to someone in another order, or with another content, than to others */
  disordered: number
  /** times that a participant was told to throw its view away */
  incomplete: number
}

interface Stored { readonly position: string, readonly text: string }

/** What Redis keeps of a room, read without a store of ours. */
async function kept (redis: Redis, room: string): Promise<Stored[]> {
  const [tag, entries] = await Promise.all([redis.hget(`fastify-chat:{${room}}:room`, 'tag'), redis.xrange(`fastify-chat:{${room}}:log`, '-', '+')])
  return entries.map(([id, [, content]]) => ({ position: `${tag}-${id}`, text: (JSON.parse(content!) as [unknown, string])[1] }))
}

const lifeOf = (position: string) => position.split('-')[0]
const numberOf = (position: string) => Number(position.split('-')[2])

/** Holds what the participants of a room were told against each other, and against what Redis keeps. */
export async function judge (redis: Redis, room: string, participants: readonly Participant[]): Promise<Verdict> {
  const log = await kept(redis, room)
  const positions = new Set(log.map(({ position }) => position))
  const life = lifeOf(log[0]!.position)
  const acked = participants.flatMap((participant) => [...participant.acked].map(([text, position]) => ({ text, position })))
  const views = participants.flatMap(({ views }) => views.map((view) => view.map(({ position, text = '' }) => ({ position, text }))))
  const verdict: Verdict = {
    posted: participants.reduce((sum, { posted }) => sum + posted.length, 0),
    acked: acked.length,
    lost: acked.filter(({ position }) => lifeOf(position) === life && !positions.has(position)).length,
    forgotten: acked.filter(({ position }) => lifeOf(position) !== life).length,
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
    // Who was never told otherwise has all.
    if (others.length === 0) verdict.lost += numberOf(last[0]!.position) - 1
    verdict.lost += numberOf(log.at(-1)!.position) - numberOf(last.at(-1)!.position)
    if (lifeOf(last.at(-1)!.position) !== life) verdict.disordered++
  }
  return verdict
}

/** One life's numbers, each once, without a hole. */
function follow (entries: readonly Stored[], verdict: Verdict): void {
  for (const [i, { position }] of entries.entries()) {
    const before = entries[i - 1]?.position
    if (before === undefined) continue
    const step = numberOf(position) - numberOf(before)
    if (lifeOf(position) !== lifeOf(before) || step < 0) verdict.disordered++
    else if (step === 0) verdict.doubled++
    else verdict.lost += step - 1
  }
}
