import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Delay } from './delay.ts'
import { killAtExit } from './processes.ts'

/** An in-memory Redis for one measurement, on a Unix socket. */
export class Redis {
  readonly #folder = mkdtempSync(join(tmpdir(), 'fastify-chat-bench-'))
  readonly #socket = join(this.#folder, 'redis.sock')
  readonly #child: ChildProcess
  readonly #delay: Delay | undefined

  /** @param roundTrip ms that each answer is delayed */
  constructor (roundTrip?: number) {
    this.#delay = roundTrip === undefined ? undefined : new Delay(this.#socket, roundTrip)
    const options = ['--port', '0', '--unixsocket', this.#socket, '--save', '', '--dir', this.#folder]
    this.#child = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'] })
    killAtExit(this.#child)
  }

  /** Resolves with the socket once Redis accepts connections. */
  async ready (): Promise<string> {
    for await (const line of createInterface(this.#child.stdout!)) {
      if (!line.includes('eady to accept connections')) continue
      this.#child.stdout!.resume()
      return await this.#delay?.listen() ?? this.#socket
    }
    throw new Error('redis-server did not start')
  }

  async end (): Promise<void> {
    const ended = this.#child.exitCode === null ? once(this.#child, 'exit') : undefined
    this.#child.kill('SIGKILL')
    await ended
    this.#delay?.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
