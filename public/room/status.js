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

/**
 * Returns the word for a status, and for a problem its text and the action that may solve it.
 * @param wasOnline whether there was a connection before
 * @param joined whether the shown room is joined
 */
export function describeStatus (status, wasOnline, joined) {
  if (status.state === 'connecting') return { state: 'connecting', word: wasOnline ? 'Reconnecting' : 'Connecting' }
  if (status.state === 'online') return joined ? { state: 'online', word: 'Connected' } : { state: 'connecting', word: 'Opening the room' }
  if (status.state === 'closed') {
    return { state: 'closed', word: 'Disconnected', text: `You are disconnected: ${reasonOf(status)}.`, action: 'Connect again' }
  }
  if (status.reason === 'offline') {
    return { state: 'waiting', word: 'Offline', text: 'This device is offline. Messages will be sent when it is online again.' }
  }
  const text = `${wasOnline ? 'Connection lost' : 'Could not connect'}: ${reasonOf(status)}. Trying again`
  return { state: 'waiting', word: 'Reconnecting', text, action: 'Reconnect now', retryAt: Date.now() + status.retryIn }
}

function reasonOf ({ code, reason }) {
  const words = reason === 'the handshake failed' || reason === '' ? '' : reason
  const meaning = meanings[code] ?? (code === 1006 ? 'the server did not answer' : `the server closed it with code ${code}`)
  if (words === '' || meaning === words) return meaning
  return code === 1006 || code === 1001 ? words : `${meaning} (${words})`
}
