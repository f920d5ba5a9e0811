import type { Pattern } from './job.ts'
import type { Member } from './member.ts'

/** In a closed pattern, one in this many posts is timed. */
const TIMED = 8

/** Timed posts per second of an open pattern. */
const TIMED_RATE = 100

/** Seconds of an open pattern that may be in flight. Bounds the queue of a server that can't keep up, and the wait for it. */
const BEHIND = 0.5

/** Schedules posts. */
export interface Poster {
  onAnswer (member: Member): void
  write (member: Member): void
  /** Returns the time in µs at which the n-th post was due, if posts are made in order. */
  stampOf (n: number): number | undefined
  /** Stops posting. Returns the number of posts that were due, for an open pattern. */
  stop (): number | undefined
}

export function posting (pattern: Pattern, members: readonly Member[]): Poster {
  return pattern.kind === 'closed' ? closed(pattern.inFlight, members) : open(pattern.rate, members)
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

function open (rate: number, members: readonly Member[]): Poster {
  const begun = performance.now()
  const timed = Math.max(1, Math.round(rate / TIMED_RATE))
  let posts = 0
  const due = () => Math.floor((performance.now() - begun) / 1_000 * rate)
  const scheduled = (n: number) => (begun + n * 1_000 / rate) * 1_000
  const arrived = () => members.reduce((total, { messages }) => total + messages, 0) / members.length
  const timer = setInterval(() => {
    for (let left = Math.min(due() - posts, Math.floor(rate * BEHIND + arrived() - posts)); left > 0; left--) {
      const member = members[posts % members.length]!
      // Stamped with the time at which the post was due, so that a server gains nothing by delaying its clients.
      member.write(member.post.next(posts % timed === 0 ? scheduled(posts) : undefined))
      member.posts++
      posts++
    }
  }, 1)
  return {
    onAnswer () {},
    write () {},
    stampOf: (n) => scheduled(n),
    stop () {
      clearInterval(timer)
      return due()
    }
  }
}
