import type { Server } from './server.ts'

/** One requirement of PROTOCOL.md that a client can observe. */
export interface Requirement {
  /** section of PROTOCOL.md */
  readonly section: string
  readonly title: string
  /** what the server announces in `welcome` if it meets the requirement; undefined if every server does */
  readonly feature: string | undefined
  /** Rejects with a Violation if the server does not meet the requirement. */
  readonly check: (server: Server) => Promise<void>
}

export function requirement (section: string, title: string, check: Requirement['check'], feature?: string): Requirement {
  return { section, title, check, feature }
}
