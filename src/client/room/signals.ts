import { assertNoLoneSurrogate } from '../argument-checks.ts'
import { TYPING_INTERVAL } from '../bounds.ts'
import { sizeError } from '../requests/frame-size.ts'
import { toJSON } from '../requests/outgoing.ts'
import type { RemoteServer } from '../requests/remote-server.ts'

/**
 * Sends a signal in a room. Returns whether it was sent.
 * @throws TypeError if `data` can't be serialized as JSON, ChatError if the server would refuse the signal
 */
export function sendSignal (server: RemoteServer, room: string, data: unknown): boolean {
  const written = JSON.stringify(data) as string | undefined
  if (written === undefined) throw new TypeError('data must be a JSON value')
  const json = `{"type":"signal","room":"${room}","data":${written}}`
  assertNoLoneSurrogate(json)
  server.assertSupports('signals')
  const error = sizeError(json, server.payload)
  if (error !== undefined) throw error
  return server.sendNow(json) === 0
}

/** Returns a function that reports that the user is typing in a room, or with `false` that the user has stopped. */
export function typingIn (server: RemoteServer, room: string): (on: boolean) => void {
  let sentAt = -Infinity
  let isOn = false
  return (on) => {
    // An earlier server would take the end for a beginning.
    if (on ? performance.now() < sentAt + TYPING_INTERVAL : !(isOn && server.supports('signals'))) return
    if (server.sendNow(toJSON({ type: 'typing', room, on: on ? undefined : false })) > 0) return
    if (on) sentAt = performance.now()
    isOn = on
  }
}
