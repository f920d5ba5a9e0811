import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

/** Yields the texts to send, in order. Ends early when the signal aborts. */
export type Script = (signal: AbortSignal) => AsyncIterable<string>

/**
 * Returns a script that repeats a text.
 * @param every ms between two texts; without it they are sent at once
 * @param count number of texts; default: no end with `every`, else one
 */
export function repetition (text: string, every: number | undefined, count: number | undefined): Script {
  const times = count ?? (every === undefined ? 1 : Infinity)
  return async function * (signal) {
    yield text
    for (let sent = 1; sent < times && !signal.aborted; sent++) {
      if (every !== undefined) await sleep(every, undefined, { signal }).catch(() => {})
      if (!signal.aborted) yield text
    }
    // Without a count the connection stays open, to print the messages that arrive.
    if (count === undefined && !signal.aborted) await once(signal, 'abort')
  }
}
