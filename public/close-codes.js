// The meaning of close codes. RFC 6455, section 7.4; codes from 4000 on are defined by the server.
const meanings = {
  1000: 'normal close',
  1001: 'the server is going away',
  1002: 'WebSocket protocol error',
  1005: 'no close code',
  1007: 'invalid UTF-8',
  1008: 'policy violation',
  1009: 'the message was too large',
  1011: 'server error',
  1013: 'the server is busy',
  4400: 'invalid messages',
  4401: 'not authenticated',
  4403: 'kicked or banned',
  4408: 'no hello within the time limit'
}

export function explainClose ({ code, reason }) {
  const meaning = meanings[code]
  return `code ${code}` + (meaning ? `, ${meaning}` : '') + (reason ? `: ${reason}` : '')
}
