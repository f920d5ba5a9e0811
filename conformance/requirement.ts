import type { Server } from './server.ts'

/** One requirement of PROTOCOL.md that a client can observe. */
export interface Requirement {
  /** section of PROTOCOL.md */
  readonly section: string
  readonly title: string
  /** Rejects with a Violation if the server does not meet the requirement. */
  readonly check: (server: Server) => Promise<void>
}

export function requirement (section: string, title: string, check: Requirement['check']): Requirement {
  return { section, title, check }
}
