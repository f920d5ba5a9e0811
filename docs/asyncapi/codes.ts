import { readFileSync } from 'node:fs'
import { definitions } from '../../src/messages.ts'
import { CloseCode, ErrorCode, isRetryable, isTerminal } from '../../src/protocol.ts'

/** The doc comments of the codes in protocol.ts, by code. */
const comments = new Map([...readFileSync(new URL('../../src/protocol.ts', import.meta.url), 'utf8')
  .matchAll(/\/\*\* (.+) \*\/\n +\w+: '?(\w+)/g)].map(([, comment, code]) => [code, comment]))

function described (code: string | number): string {
  const comment = comments.get(String(code))
  if (comment === undefined) throw new Error(`protocol.ts has no doc comment in one line for the code ${code}`)
  return comment
}

/** The schema of error codes: the known ones, each with its meaning, and any other. */
export const errorCode = {
  ...definitions.errorCode,
  anyOf: [
    ...Object.values(ErrorCode).map((code) => ({ const: code, description: described(code), 'x-retryable': isRetryable(code) })),
    {}
  ]
}

export const closeCodes = Object.values(CloseCode).sort((a, b) => a - b)
  .map((code) => ({ code, description: described(code), reconnect: !isTerminal(code) }))
