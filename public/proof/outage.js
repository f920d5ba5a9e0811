// Records the state of each message of a room during an outage, and compares the result with the messages on the server.
import { messageIn } from './frames.js'
import { readSince } from './read-back.js'

/** Length of a page, and number of its messages, from which on another page may follow. */
const FULL_PAGE = 50_000
const FULL_LIST = 1_000

/**
 * Starts to observe, from the last message that the room has received until the room is joined again and its posts are answered.
 * @param cause `disconnect`, `drop`, `ack` or `network`
 * @param onChange called after each change
 */
export function startOutage ({ client, room, link, cause, onChange }) {
  const timeline = room.timeline()
  const start = room.position
  const { lostAcks } = link
  /** Messages of others that somebody else on this page has received, by position. */
  const seenElsewhere = new Map()
  /** Keys of the own posts that were pending. */
  const posts = new Set()
  let lostAt = cause === 'ack' ? undefined : performance.now()
  /** Whether the client has noticed the loss. Then the outage ends with a join. */
  let noticed = cause === 'network' || cause === 'disconnect'
  let backAt, report
  /** Whether the room is joined again. */
  let joined = false
  /** Of all joins since the beginning: messages of others, whether there may be more, and whether the server had all of them. */
  let missed = 0
  let more = false
  let complete = true
  /** Changes when a check that is under way is no longer about the whole outage. */
  let checks = 0
  let isChecking = false
  let isClosed = false

  const stops = [
    timeline.subscribe(update),
    link.onChange(update),
    client.on('status', ({ state }) => { if (state === 'waiting') onLost() }),
    room.on('joined', onJoined)
  ]

  function onLost () {
    noticed = true
    lostAt ??= performance.now()
    joined = false
    backAt = undefined
    checks++
    onChange()
  }

  function onJoined ({ messages, ...event }) {
    joined = true
    complete &&= event.complete
    missed += messages.filter(isOther).length
    more ||= messages.length >= FULL_LIST || JSON.stringify(messages).length > FULL_PAGE
    update()
  }

  const isOther = ({ from }) => from?.id !== client.member?.id
  const isBack = () => noticed ? joined : cause === 'drop' && link.state === 'open'

  /** Returns the items since the outage began. */
  function items () {
    const all = timeline.getSnapshot().items
    return all.slice(all.findLastIndex(({ position }) => position === start) + 1)
  }

  function update () {
    if (isClosed) return
    const pending = items().filter(({ state }) => state === 'pending')
    for (const { key } of pending) posts.add(key)
    if (isBack()) {
      backAt ??= performance.now()
      if (pending.length === 0 && !isChecking) check()
    } else {
      backAt = undefined
      checks++
    }
    onChange()
  }

  async function check () {
    isChecking = true
    const current = checks
    const checked = new Set(posts)
    const last = items().findLast(({ state }) => state === 'stored')
    const stored = await readSince(room, start, last)
    isChecking = false
    if (isClosed || current !== checks) return
    const shown = items()
    const received = shown.slice(0, shown.findIndex(({ position }) => position === last?.position) + 1)
    report = makeReport(stored, received, shown.filter(({ key }) => checked.has(key)))
    close()
    onChange()
  }

  /** @param stored by the server @param own items of the own posts */
  function makeReport (stored, received, own) {
    return {
      cause,
      noticed,
      ackLost: link.lostAcks > lostAcks,
      complete,
      seconds: (backAt - lostAt) / 1_000,
      missed: noticed ? missed : received.filter(isOther).length,
      /** Whether more than these may have been missed: `joined` has only the first page. */
      more,
      posts: own.length,
      stored: own.filter(({ state }) => state === 'stored').length,
      failed: own.filter(({ state }) => state === 'failed').length,
      repeated: own.filter(isRepeated).length,
      /** Number of messages of this member that the server has; undefined: not compared. */
      ownOnServer: complete ? stored?.filter((message) => !isOther(message)).length : undefined,
      /** Whether the received messages are those of the server, in its order; undefined: not compared. */
      same: complete && stored !== undefined ? positions(stored) === positions(received) : undefined
    }
  }

  /** Returns whether the client has sent a post more than once. */
  function isRepeated ({ key }) {
    return link.frames.all.filter((frame) => frame.sent && messageIn(frame).type === 'post' && messageIn(frame).id === key).length > 1
  }

  function close () {
    isClosed = true
    for (const stop of stops) stop()
    timeline.close()
  }

  update()
  return {
    cause,
    /** Seconds since the loss; undefined before it. */
    get seconds () { return lostAt === undefined ? undefined : ((backAt ?? performance.now()) - lostAt) / 1_000 },
    get isBack () { return isBack() },
    /** What has happened, when it is known. */
    get report () { return report },

    /** Returns what is known about the messages since the beginning: first those that arrived, then those that only others have, then own ones. */
    get dots () {
      const known = items()
      const arrived = known.filter(({ state }) => state === 'stored')
      const missed = [...seenElsewhere.values()].filter(({ position }) => !arrived.some((item) => item.position === position))
      return [...arrived, ...missed.map((message) => ({ ...message, key: message.position, state: 'missed' })), ...known.filter(({ state }) => state !== 'stored')]
    },

    /** Called with each message that somebody else on this page has received in this room. */
    addSeenElsewhere (message) {
      if (isClosed || message.room !== room.name || message.from?.id === client.member?.id) return
      seenElsewhere.set(message.position, message)
      onChange()
    },
    close
  }
}

function positions (messages) {
  return messages.map(({ position }) => position).join()
}
