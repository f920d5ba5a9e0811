import type { Job } from './job.ts'
import type { Member } from './member.ts'

/** In a closed pattern, one in this many posts is timed. */
const TIMED = 8

/** Timed posts per second of an open pattern. */
const TIMED_RATE = 100

/** Seconds of an open pattern that may be in flight. Bounds the queue of a server that can't keep up, and the wait for it. */
const BEHIND = 0.5

/** The members that post. */
export interface Posters {
  readonly members: readonly Member[]
  /** Messages that all members have received. */
  readonly deliveries: number
}

/** Schedules posts. */
export interface Poster {
  onAnswer (member: Member): void
  write (member: Member): void
  /** Returns the time in µs at which the n-th post was sent; undefined if it isn't timed or there is more than one room. */
  stampOf (n: number): number | undefined
  /** Stops posting. Returns the number of posts that were due, for an open pattern. */
  stop (): number | undefined
}

export function posting ({ pattern, roomSize }: Job, posters: Posters): Poster {
  return pattern.kind === 'closed' ? closed(pattern.inFlight, posters.members.slice(0, pattern.posters)) : open(pattern.rate, roomSize, posters)
}

function closed (inFlight: number, members: readonly Member[]): Poster {
  let going = true
  let posts = 0
  const next = (member: Member) => member.post.next(posts++ % TIMED === 0 ? performance.now() * 1_000 : undefined)
  const poster: Poster = {
    onAnswer (member) { if (going) member.due++ },
    write (member) {
      const { due } = member
      member.due = 0
      member.posts += due
      member.write(due === 1 ? next(member) : Buffer.concat(Array.from({ length: due }, () => next(member))))
    },
    stampOf: () => undefined,
    stop () {
      going = false
      return undefined
    }
  }
  for (const member of members) {
    member.due = inFlight
    poster.write(member)
  }
  return poster
}

function open (rate: number, roomSize: number, posters: Posters): Poster {
  const { members } = posters
  const begun = performance.now()
  const timed = Math.max(1, Math.round(rate / TIMED_RATE))
  const rooms = Math.ceil(members.length / roomSize)
  let posts = 0
  const due = () => Math.floor((performance.now() - begun) / 1_000 * rate)
  const stamps = new Map<number, number>()
  // Successive posts go to different rooms.
  const poster = (n: number) => members[(n % rooms * roomSize + Math.floor(n / rooms) % roomSize) % members.length]!
  const timer = setInterval(() => {
    for (let left = Math.min(due() - posts, Math.floor(rate * BEHIND + posters.deliveries / roomSize - posts)); left > 0; left--) {
      const member = poster(posts)
      const stamp = posts % timed === 0 ? performance.now() * 1_000 : undefined
      if (stamp !== undefined) stamps.set(posts, stamp)
      member.write(member.post.next(stamp))
      member.posts++
      posts++
    }
  }, 1)
  return {
    onAnswer () {},
    write () {},
    stampOf: (n) => stamps.get(n),
    stop () {
      clearInterval(timer)
      return due()
    }
  }
}
