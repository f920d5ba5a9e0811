import type { Server } from '../contenders.ts'
import type { Job } from '../generator/job.ts'
import type { Nodes } from '../nodes.ts'
import type { Process } from '../processes.ts'

export interface MeasureOptions {
  /** of the window; `warmUp` precedes it */
  readonly seconds: number
  readonly warmUp: number
  /** folder for CPU profiles of the servers */
  readonly profile: string | undefined
}

/** A contender whose nodes listen on `ports`. */
export interface Target { readonly contender: Server, readonly ports: readonly number[] }

/** Measures servers that run, by clients in another process. */
export type Measurement<S> = (nodes: Nodes, generator: Process, target: Target, options: MeasureOptions) => Promise<S>

/** Returns the task of a generator whose members only enter, post a probe and join. */
export function silentJob ({ contender: { path, dialect }, ports }: Target, roomSize: number): Job {
  return { ports, path, dialect, roomSize, compressed: false, binary: false, echo: false, size: 64, pattern: { kind: 'closed', inFlight: 1 } }
}
