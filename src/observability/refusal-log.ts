import type { FastifyBaseLogger } from 'fastify'
import { legible } from './printable.ts'
import { diagnostics } from './diagnostics.ts'
import type { Counters } from './stats.ts'
import { logSafely } from '../thrown.ts'

/** Lines of one reason in a window. */
const LINES = 10

/** ms */
const WINDOW = 1_000

type Level = 'info' | 'warn' | 'error'

interface Window { readonly level: Level, readonly said: string, readonly reason: string, lines: number }

/**
 * Counts who was refused or cut off, and says why: one line each, but a flood of them floods no log. What was left out is
 * said in one line of its own, at the end of each second.
 */
export class RefusalLog {
  readonly #log: FastifyBaseLogger
  readonly #tally: Counters
  readonly #windows = new Map<string, Window>()
  #end: NodeJS.Timeout | undefined

  constructor (log: FastifyBaseLogger, tally: Counters) {
    this.#log = log
    this.#tally = tally
  }

  /**
   * Something that a client asked for was refused.
   * @param reason one of a few; what a client sent belongs in the details, where it is made legible
   * @param message what the client was told
   * @param log of its request or connection
   */
  refused (reason: string, message: string, details: Readonly<Record<string, unknown>> = {}, log: FastifyBaseLogger = this.#log): void {
    this.#tally.refusals.add(reason)
    const { chat } = this.#tally
    if (diagnostics.refused.hasSubscribers) diagnostics.refused.publish({ chat, reason, message })
    const line: Record<string, unknown> = { message, ...details, reason }
    for (const [name, value] of Object.entries(line)) if (typeof value === 'string') line[name] = legible(value)
    this.#write(reason, 'warn', 'refused', line, log)
  }

  /** A connection was ended. @param why one of a few */
  cutOff (why: string, line: object, log: FastifyBaseLogger): void {
    this.#tally.cutOffs.add(why)
    this.#write(why, 'info', 'websocket closed', line, log)
  }

  /** The app's code failed. @param what of ours, the same for each such fault */
  failed (what: string, err: unknown, log: FastifyBaseLogger): void {
    this.#write('failed', 'error', what, { err }, log)
  }

  /** Says what was left out so far. */
  close (): void {
    clearTimeout(this.#end)
    this.#end = undefined
    for (const { level, said, reason, lines } of this.#windows.values()) {
      if (lines > LINES) this.#log[level]({ reason, more: lines - LINES }, `${said}: more, for the same reason`)
    }
    this.#windows.clear()
  }

  #write (reason: string, level: Level, said: string, line: object, log: FastifyBaseLogger): void {
    const key = `${said} ${reason}`
    const window = this.#windows.get(key) ?? { level, said, reason, lines: 0 }
    this.#windows.set(key, window)
    this.#end ??= setTimeout(() => this.close(), WINDOW).unref()
    if (++window.lines <= LINES) logSafely(log, level, line, said)
  }
}
