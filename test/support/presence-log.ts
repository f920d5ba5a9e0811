import { EventEmitter, once } from 'node:events'
import type { FastifyChatOptions } from '../../src/index.ts'

/** The joins and leaves of an app's members. */
export interface PresenceLog {
  /** In order, such as 'ada joins tea'. */
  readonly lines: readonly string[]
  /** Resolves when this line is there, that many times. */
  recorded (line: string, times?: number): Promise<void>
  readonly hooks: Pick<FastifyChatOptions, 'onJoin' | 'onLeave'>
}

/** Returns a log, and the hooks that write it. */
export function presenceLog (): PresenceLog {
  const lines: string[] = []
  const changed = new EventEmitter()
  const record = (verb: string) => ({ name }: { readonly name?: string | undefined }, room: string) => {
    lines.push(`${name} ${verb} ${room}`)
    changed.emit('line')
  }
  return {
    lines,
    async recorded (line, times = 1) {
      while (lines.filter((each) => each === line).length < times) await once(changed, 'line')
    },
    hooks: { onJoin: record('joins'), onLeave: record('leaves') }
  }
}
