import type { Message } from '../../messages.ts'
import type { Backoff } from '../backoff.ts'
import { MARK_INTERVAL, MAX_KNOWN } from '../bounds.ts'
import type { Joined } from '../room-events.ts'
import { idleTimer } from '../timer.ts'

/** The operations of the client that the read position of a room uses. */
export interface ReadOperations {
  /**
   * Returns 0 if the mark was sent, else the ms after which to try again; Infinity: after the next join.
   * @param isRepeat whether it was the read position on another connection
   */
  send (position: string, isRepeat: boolean): number
  /** Returns whether the member has sent the message, which moves the read position to it. */
  isOwn (message: Message): boolean
}

export type RoomReads = ReturnType<typeof roomReads>

/** The read position of the member in one room. Counts the messages after it, and sends the newest mark of the app. */
export function roomReads (operations: ReadOperations, delays: Backoff) {
  /** The last position that was set, even if the member has no read position any more. */
  let current: string | undefined
  /** Number of messages after the read position; Infinity: it isn't known, or there is no read position. */
  let unreadCount = Infinity
  /** Positions of consecutive messages up to the last one that was received: the newest ones, and pages of history before them. */
  let known: string[] = []
  /** The last read position at a message that isn't known. It takes effect when the message arrives. */
  let awaited: string | undefined
  /** The mark that was not sent. */
  let unsent: string | undefined
  /** The last mark of the app that was sent. */
  let sent: string | undefined
  /** Whether the mark to send was sent on an earlier connection. */
  let isRepeat = false
  /** Set while no mark may be sent. */
  let timer: ReturnType<typeof setTimeout> | undefined

  /** Called with each message. */
  function add (message: Message): void {
    const { position } = message
    unreadCount++
    if (known.push(position) > MAX_KNOWN) known.shift()
    if (position === awaited || operations.isOwn(message)) set(position, 0)
  }

  /** @param unread number of messages after the position */
  function set (position: string, unread: number): void {
    current = position
    unreadCount = unread
    const unreadBefore = after(unsent)
    // Not sent, because the server knows a later one.
    if (unreadBefore > unread && unreadBefore < Infinity) unsent = undefined
  }

  function know (messages: ReadonlyArray<{ readonly position: string }>, later: readonly string[] = []): void {
    known = [...messages.map(({ position }) => position), ...later].slice(-MAX_KNOWN)
  }

  /** Moves to the awaited read position, if its message has arrived. Returns whether that was a later one. */
  function reach (): boolean {
    const unread = after(awaited)
    if (unread >= unreadCount) return false
    set(awaited!, unread)
    return true
  }

  /** Returns the number of messages after a position; Infinity if it isn't known. */
  function after (position: string | undefined): number {
    const index = known.lastIndexOf(position!)
    return index < 0 ? Infinity : known.length - 1 - index
  }

  function flush (): void { if (timer === undefined) send() }

  /** Sends the mark that waits, if there is one. */
  function send (): void {
    if (unsent === undefined) return
    const wait = operations.send(unsent, isRepeat)
    if (wait === Infinity) return
    if (wait > 0) return sendAfter(wait)
    sent = unsent
    unsent = undefined
    // Not refused by then.
    sendAfter(MARK_INTERVAL, delays.reset)
  }

  function sendAfter (ms: number, before?: () => void): void {
    clearTimeout(timer)
    timer = idleTimer(() => {
      timer = undefined
      before?.()
      send()
    }, ms)
  }

  const reads = {
    /** Called when the read position has moved for another reason than a `joined` or a `message`. */
    onMoved: (): void => {},

    get position (): string | undefined { return unreadCount < Infinity ? current : undefined },

    get unread (): number | undefined { return unreadCount < Infinity ? unreadCount : undefined },

    /** Called with the answer to a join. @param isContinued whether its messages follow those that were received */
    join ({ position, messages, readPosition, unread = Infinity }: Joined, isContinued: boolean): void {
      // A client that continues from an earlier one knows no message yet.
      if (isContinued && known.length > 0) messages.forEach(add)
      else {
        know(messages.length > 0 ? messages : [{ position }])
        unreadCount = after(current)
        reach()
      }
      // Whether the last mark is at a message that isn't known: the read position of the server may be before it.
      const isUnknown = awaited !== undefined && awaited === (unsent ?? sent) && after(awaited) === Infinity
      // Both numbers count up to the same message: the smaller one is that of the later read position.
      if (readPosition !== undefined && unread <= unreadCount) {
        set(readPosition, unread)
        if (!isUnknown) awaited = readPosition
      }
      // Without a read position of the server, that of the client is repeated even if the app hasn't marked it: it may have been removed.
      const last = readPosition === undefined && !isUnknown ? current : sent
      if (last !== undefined && (unsent ?? sent) === sent && last !== readPosition &&
        (readPosition === undefined || isUnknown || unread > after(last))) {
        unsent = last
        isRepeat = true
      }
      flush()
    },

    add,

    /** Called with a page of history. */
    addEarlier (before: string, messages: readonly Message[]): void {
      if (before !== known[0]) return
      know(messages, known)
      if (reach()) reads.onMoved()
    },

    /** Moves the read position, but never back. @param isOwn whether the app has marked the message, so that the server must be notified */
    move (position: string, isOwn: boolean): void {
      const unread = after(position)
      const isKnown = unread < Infinity
      if (position === current || position === awaited || (isKnown && unread >= unreadCount)) return
      if (isKnown) set(position, unread)
      else awaited = position
      if (isOwn) {
        unsent = position
        isRepeat = false
      }
      flush()
      if (isKnown) reads.onMoved()
    },

    /** Called when the read position was removed. */
    forget (): void {
      if ((current ?? awaited ?? unsent) === undefined) return
      current = awaited = unsent = sent = undefined
      unreadCount = Infinity
      reads.onMoved()
    },

    /** Called when the server has refused the last mark, and may accept it later. Returns the ms of the backoff. */
    retry (retryAfter: number | undefined): number {
      unsent ??= sent
      const wait = delays.next(retryAfter)
      sendAfter(MARK_INTERVAL + wait)
      return wait
    },

    /** Called when the room is left. */
    end (): void {
      clearTimeout(timer)
      unsent = undefined
    },

    send
  }
  return reads
}
