import { MAX_PING_TIMEOUT, PING_TIMEOUT } from '../bounds.ts'
import { deferred, type Deferred } from '../deferred.ts'
import { idleTimer } from '../timer.ts'

export type Heartbeat = ReturnType<typeof heartbeat>

/**
 * Pings the server at an interval and on request, because TCP can take many minutes to report a lost connection.
 * @param interval ms between two pings; an answer must arrive within half of it, at most 10 s
 * @param send sends a ping
 * @param onTimeout called once when nothing was received since a ping
 */
export function heartbeat (interval: number, send: (id: string) => void, onTimeout: () => void) {
  const usualTimeout = Math.min(MAX_PING_TIMEOUT, interval / 2)
  let received = true
  /** The requested ping that is not answered yet. Its id is the time at which it was sent, in ms. */
  let pong: Deferred<number | undefined> | undefined
  let pingId = '0'
  let timer = idleTimer(beat, interval)

  function beat (timeout = usualTimeout): void {
    received = false
    send(pingId)
    clearTimeout(timer)
    // Two timers: if this process was busy or suspended, the messages that have arrived are read between the timers.
    timer = idleTimer(() => { timer = idleTimer(() => check(timeout), 0) }, timeout)
  }

  function check (timeout: number): void {
    if (!received) onTimeout()
    // The message that was received instead of the answer may be older than the ping.
    else if (pong !== undefined) beat(timeout)
    else timer = idleTimer(beat, interval - timeout)
  }

  return {
    /** Called when any message is received. @param id of the message; an error can answer a ping */
    onMessage (id: string | undefined): void {
      received = true
      if (id !== pingId) return
      pong?.resolve(performance.now() - Number(pingId))
      pong = undefined
    },
    /** Pings now. Resolves with the ms until the answer, or with undefined when the heartbeat is stopped. */
    ping (): Promise<number | undefined> {
      // The promise is shared: a later call doesn't extend the limit.
      if (pong === undefined) {
        pong = deferred()
        pingId = String(performance.now())
        beat(PING_TIMEOUT)
      }
      return pong.promise
    },
    stop (): void {
      clearTimeout(timer)
      pong?.resolve(undefined)
    }
  }
}
