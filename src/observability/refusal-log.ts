import type { FastifyBaseLogger } from 'fastify'
import { legible } from './printable.ts'
import { diagnostics } from './diagnostics.ts'
import type { Counters } from './stats.ts'
import { logSafely } from '../thrown.ts'

/** Maximum lines for one reason in one window. */
const MAX_LINES = 10

/** Length of a window in ms. */
const WINDOW = 1_000

type Level = 'info' | 'warn' | 'error'

interface Window { readonly level: Level, readonly text: string, readonly reason: string, lines: number }

/**
 * Counts and logs refusals, and connections ended by the server. Suppresses further lines with the same reason, so that an
 * attack can't flood the log. At the end of each second, one line for each reason reports the number of suppressed lines.
 */
export class RefusalLog {
  readonly #log: FastifyBaseLogger
  readonly #counters: Counters
  readonly #windows = new Map<string, Window>()
  #end: NodeJS.Timeout | undefined

  constructor (log: FastifyBaseLogger, counters: Counters) {
    this.#log = log
    this.#counters = counters
  }

  /**
   * Counts and logs a refused upgrade or request.
   * @param reason from a small set of constants
   * @param details may contain data of the client, whose unsafe characters are replaced
   * @param message text of the error
   * @param log logger of the request or the connection
   */
  refused (reason: string, message: string, details: Readonly<Record<string, unknown>> = {}, log: FastifyBaseLogger = this.#log): void {
    this.#counters.refusals.add(reason)
    const { chat } = this.#counters
    if (diagnostics.refused.hasSubscribers) diagnostics.refused.publish({ chat, reason, message })
    const line: Record<string, unknown> = { message, ...details, reason }
    for (const [name, value] of Object.entries(line)) if (typeof value === 'string') line[name] = legible(value)
    this.#write(reason, 'warn', 'refused', line, log)
  }

  /** Counts and logs a connection that the server ended. @param reason from a small set of constants */
  disconnected (reason: string, line: object, log: FastifyBaseLogger): void {
    this.#counters.disconnects.add(reason)
    this.#write(reason, 'info', 'websocket closed', line, log)
  }

  /** Logs an error of the app's code. @param what a constant text, one for each kind of error */
  failed (what: string, err: unknown, log: FastifyBaseLogger): void {
    this.#write('failed', 'error', what, { err }, log)
  }

  /** Logs the number of suppressed lines, and begins a new window. */
  close (): void {
    clearTimeout(this.#end)
    this.#end = undefined
    for (const { level, text, reason, lines } of this.#windows.values()) {
      if (lines > MAX_LINES) this.#log[level]({ reason, suppressed: lines - MAX_LINES }, `${text}: further lines suppressed`)
    }
    this.#windows.clear()
  }

  #write (reason: string, level: Level, text: string, line: object, log: FastifyBaseLogger): void {
    const key = `${text} ${reason}`
    const window = this.#windows.get(key) ?? { level, text, reason, lines: 0 }
    this.#windows.set(key, window)
    this.#end ??= setTimeout(() => this.close(), WINDOW).unref()
    if (++window.lines <= MAX_LINES) logSafely(log, level, line, text)
  }
}
