import { isDeepStrictEqual, inspect } from 'node:util'
import type { Server } from './server.ts'

/** One thing that PROTOCOL.md asks of a server and that can be seen from outside. */
export interface Requirement {
  /** of PROTOCOL.md */
  readonly section: string
  readonly title: string
  /** Rejects with what was seen instead. */
  readonly check: (server: Server) => Promise<void>
}

/** What the server did is not what it must do. */
export class Violation extends Error {}

export function requirement (section: string, title: string, check: Requirement['check']): Requirement {
  return { section, title, check }
}

/** @throws Violation */
export function same (seen: unknown, wanted: unknown, what: string): void {
  if (isDeepStrictEqual(seen, wanted)) return
  throw new Violation(`${what}: ${show(seen)} instead of ${show(wanted)}`)
}

/** @throws Violation */
export function holds (fact: boolean, what: string): asserts fact {
  if (!fact) throw new Violation(what)
}

export function show (value: unknown): string {
  const text = inspect(value, { breakLength: Infinity, depth: 4 })
  return text.length > 300 ? `${text.slice(0, 300)}…` : text
}
