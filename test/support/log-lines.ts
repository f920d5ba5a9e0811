import { EventEmitter, once } from 'node:events'

export interface LogLine { readonly level: 'info' | 'error', readonly msg: string, readonly address?: string, readonly reason?: string }

/** A logger that keeps its lines. */
export class LogLines extends EventEmitter {
  readonly lines: LogLine[] = []

  info (fields: object, msg: string): void { this.#add({ level: 'info', msg, ...fields }) }

  error (fields: object, msg: string): void { this.#add({ level: 'error', msg, ...fields }) }

  /** Resolves with the line of this number, from 1, once it is logged. */
  async line (number: number): Promise<LogLine> {
    while (this.lines.length < number) await once(this, 'line')
    return this.lines[number - 1]!
  }

  #add (line: LogLine): void {
    this.lines.push(line)
    this.emit('line')
  }
}
