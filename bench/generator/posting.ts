import type { Pattern } from './job.ts'
import type { Member } from './member.ts'

/** Posts of a closed pattern of which one is timed. */
const TIMED = 8

/** Posts a second of an open pattern that are timed. */
const TIMED_RATE = 100

/** s of an open pattern that may be on their way: a server that can't keep up is given no more, and has to be waited for no longer. */
const BEHIND = 0.5

/** When posts are written. */
export interface Poster {
  answered (member: Member): void
  write (member: Member): void
  /** µs; of the n-th post, where posts are made in order */
  stampOf (n: number): number | undefined
  /** Gives how many posts were to be made, if that was given. */
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
    answered (member) { if (going) member.due++ },
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
      // From when it was to be posted: a server that holds up its clients doesn't get a better time by it.
      member.write(member.post.next(posts % timed === 0 ? scheduled(posts) : undefined))
      member.posts++
      posts++
    }
  }, 1)
  return {
    answered () {},
    write () {},
    stampOf: (n) => scheduled(n),
    stop () {
      clearInterval(timer)
      return due()
    }
  }
}
