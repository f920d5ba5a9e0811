// The state of the connection in plain words.
const meanings = {
  1001: 'the server is stopping',
  1009: 'a message was too large',
  1011: 'the server had an error',
  1013: 'the server is busy',
  4400: 'the server does not accept this client',
  4401: 'you are not signed in',
  4403: 'the server has removed you',
  4408: 'the connection was too slow'
}

/** Returns whether no WebSocket was opened, for a reason that browsers don't report. */
export function isUnexplained ({ state, code, reason }) {
  return state === 'waiting' && code === 1006 && (reason === '' || reason === 'the handshake failed')
}

/** Resolves with whether the server answers requests by HTTP. */
export async function isServerThere () {
  try {
    return (await fetch('config.json', { cache: 'no-store' })).ok
  } catch {
    return false
  }
}

/**
 * Returns the word for a status, and for a problem its text and the action that may solve it.
 * @param wasOnline whether there was a connection before
 * @param joined whether the shown room is joined
 * @param isThere whether the server answers by HTTP, though no WebSocket was opened
 */
export function describeStatus (status, wasOnline, joined, isThere) {
  if (status.state === 'connecting') return { state: 'connecting', word: wasOnline ? 'Reconnecting' : 'Connecting' }
  if (status.state === 'online') return joined ? { state: 'online', word: 'Connected' } : { state: 'connecting', word: 'Opening the room' }
  if (status.state === 'closed') {
    return { state: 'closed', word: 'Disconnected', text: `You are disconnected: ${reasonOf(status)}.`, action: 'Connect again' }
  }
  if (status.reason === 'offline') {
    return { state: 'waiting', word: 'Offline', text: 'This device is offline. Messages will be sent when it is online again.' }
  }
  const reason = isThere ? 'the server responds, but accepts no new connection. It may be full' : reasonOf(status)
  const text = `${wasOnline ? 'Connection lost' : 'Could not connect'}: ${reason}. Trying again`
  return { state: 'waiting', word: 'Reconnecting', text, action: 'Reconnect now', retryAt: Date.now() + status.retryIn }
}

function reasonOf ({ code, reason }) {
  const words = reason === 'the handshake failed' || reason === '' ? '' : reason
  const meaning = meanings[code] ?? (code === 1006 ? 'the server did not answer' : `the server closed the connection with code ${code}`)
  if (words === '' || meaning === words) return meaning
  return code === 1006 || code === 1001 ? words : `${meaning} (${words})`
}
