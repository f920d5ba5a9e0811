// The meaning of close codes. RFC 6455, section 7.4; codes from 4000 on are defined by the server.
const meanings = {
  1000: 'a normal end',
  1001: 'the server is going away',
  1002: 'the protocol was broken',
  1005: 'no code was given',
  1007: 'a text was not UTF-8',
  1008: 'a rule of the server was broken',
  1009: 'the message was too large',
  1011: 'the server had an error',
  1013: 'the server is busy',
  4400: 'the server could not understand a message',
  4401: 'you are not signed in',
  4403: 'you are not allowed in',
  4408: 'the server waited too long'
}

export function explainClose ({ code, reason }) {
  const meaning = meanings[code]
  return `code ${code}` + (meaning ? `, ${meaning}` : '') + (reason ? `: ${reason}` : '')
}
