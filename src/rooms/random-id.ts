import { randomBytes } from 'node:crypto'

/** Returns 96 random bits in 16 characters. Not a UUID: Node joins it from its bytes, so that V8 keeps 1 KiB of partial strings. */
export function randomId (): string {
  return randomBytes(12).toString('base64url')
}
