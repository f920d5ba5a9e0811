// The meaning of close codes. RFC 6455, section 7.4; codes from 4400 on are defined by the protocol of this chat.
const meanings = {
  1000: 'normal close',
  1001: 'the server is going away',
  1002: 'WebSocket protocol error',
  1003: 'unsupported data',
  1005: 'no close code',
  1006: 'no close frame was received',
  1007: 'invalid UTF-8',
  1008: 'policy violation',
  1009: 'the message was too large',
  1011: 'server error',
  1012: 'the server restarts',
  1013: 'the server is busy',
  4400: 'invalid messages',
  4401: 'not authenticated',
  4403: 'kicked or banned',
  4408: 'no hello within the time limit'
}

/** Returns the meaning of a code. Codes from 3000 on that are not listed belong to libraries and apps. */
export function meaningOf (code) {
  return meanings[code] ?? (code >= 4000 ? 'defined by the app' : code >= 3000 ? 'registered by a library' : '')
}

export function explainClose ({ code, reason }) {
  const meaning = meaningOf(code)
  return `code ${code}` + (meaning ? `, ${meaning}` : '') + (reason ? `: ${reason}` : '')
}
