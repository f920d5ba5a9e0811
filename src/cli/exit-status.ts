import { CloseCode } from '../protocol.ts'

/** Reported when the close frame had no code, and when no close frame was received. RFC 6455, section 7.4.1. */
export const NO_CODE = 1005
export const ABNORMAL = 1006

const cleanCodes: readonly number[] = [CloseCode.normal, CloseCode.goingAway, NO_CODE]

/** The mapping of `exitStatus`, for the help. */
export const exitStatusHelp = `Exit status: 0 after a clean close (1000, 1001, no code) or Ctrl-C; 1 if the
connection failed or a message was refused; 2 for wrong usage. After another
close code it is 10 plus the last two digits of 1002 to 1015 (1006: 16, 1008:
18), 40 plus those of 4400 to 4459 (4401: 41, 4403: 43), and 1 for the rest.
`

/** Returns the exit status of the command after a close with this code. */
export function exitStatus (code: number): number {
  if (cleanCodes.includes(code)) return 0
  if (code >= 1002 && code <= 1015) return 10 + code % 100
  if (code >= 4400 && code <= 4459) return 40 + code % 100
  return 1
}
