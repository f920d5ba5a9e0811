import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { Latencies } from './generator/latencies.ts'

/** ms between two requests */
const INTERVAL = 10

/** ms after the last request, within which all must be answered */
const ANSWER_TIMEOUT = 10_000

const ANSWER = 'HTTP/1.1 200 '
const BODY = '\r\n\r\nok'

/**
 * Requests an HTTP route at a fixed rate over one connection. A request doesn't wait for the answers to the previous ones, so
 * that none is left out while the server is late.
 */
export class Requests {
  readonly #socket: Socket
  readonly #latencies = new Latencies()
  /** Times of the requests that are not answered yet. */
  readonly #pending: number[] = []
  /** Time from which requests are counted. */
  #since = 0
  #timer: NodeJS.Timeout | undefined
  #answer = ''
  #broken: string | undefined

  constructor (port: number) {
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true })
    this.#socket.on('data', (chunk) => this.#read(chunk.toString('latin1')))
    this.#socket.on('error', (error) => { this.#broken ??= error.message })
    this.#socket.on('close', () => { this.#broken ??= 'the server closed the connection of the requests' })
  }

  async begin (): Promise<void> {
    await once(this.#socket, 'connect')
    this.#timer = setInterval(() => {
      this.#pending.push(performance.now())
      this.#socket.write('GET /route HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
    }, INTERVAL)
  }

  /** Forgets the requests so far. */
  clear (): void {
    this.#latencies.clear()
    this.#since = performance.now()
  }

  /**
   * Stops and returns the p99 in ms.
   * @throws Error if a request was not answered
   */
  async end (): Promise<number> {
    clearInterval(this.#timer)
    for (const end = performance.now() + ANSWER_TIMEOUT; this.#pending.length > 0 && performance.now() < end && this.#broken === undefined;) await wait(1)
    const broken = this.#broken ?? (this.#pending.length > 0 ? 'a request was not answered' : undefined)
    this.close()
    if (broken !== undefined) throw new Error(broken)
    return this.#latencies.percentile(0.99)!
  }

  close (): void {
    clearInterval(this.#timer)
    this.#socket.destroy()
  }

  #read (text: string): void {
    this.#answer += text
    for (;;) {
      if (!ANSWER.startsWith(this.#answer.slice(0, ANSWER.length))) this.#broken ??= `the route answered ${this.#answer.slice(0, 300)}`
      const end = this.#answer.indexOf(BODY)
      if (end === -1) return
      const sent = this.#pending.shift()!
      if (sent >= this.#since) this.#latencies.add((performance.now() - sent) * 1_000)
      this.#answer = this.#answer.slice(end + BODY.length)
    }
  }
}
