import { fork, type ChildProcess } from 'node:child_process'
import { basename } from 'node:path'
import type { Answer } from './calls.ts'

/** ms that a process may take to answer, in addition to the duration of the call. */
const ANSWER_TIMEOUT = 60_000

/** ms within which a process must exit before it is killed. */
const GRACE = 5_000

/** Characters of stderr that are kept for the error message. */
const MAX_STDERR = 2_000

const running = new Set<ChildProcess>()
process.on('exit', () => { for (const child of running) child.kill('SIGKILL') })

/** Kills a child process when this process exits. */
export function killAtExit (child: ChildProcess): void {
  running.add(child)
  child.once('exit', () => running.delete(child))
}

interface Pending { resolve (result: never): void, reject (error: Error): void }

/** A child process that answers calls. It is killed when this process exits. */
export class Process {
  readonly #child: ChildProcess
  readonly #name: string
  readonly #pending = new Map<number, Pending>()
  readonly #ended: Promise<void>
  #stderr = ''
  #calls = 0

  constructor (file: string, flags: readonly string[]) {
    this.#name = basename(file)
    this.#child = fork(file, {
      execArgv: ['--import', import.meta.resolve('tsx'), ...flags],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc']
    })
    killAtExit(this.#child)
    this.#child.stderr!.on('data', (text: Buffer) => { this.#stderr = (this.#stderr + text.toString()).slice(-MAX_STDERR) })
    this.#child.on('message', (answer: Answer) => this.#settle(answer))
    this.#child.on('error', (error) => this.#fail(error.message))
    this.#ended = new Promise((resolve) => this.#child.once('exit', (code, signal) => {
      this.#fail(`ended with ${signal ?? code}: ${this.#stderr.trim()}`)
      resolve()
    }))
  }

  /** @param duration ms that the call takes by itself */
  call<Result>(method: string, argument?: unknown, duration = 0): Promise<Result> {
    const id = this.#calls++
    const timeout = ANSWER_TIMEOUT + duration
    return new Promise<Result>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#settle({ id, error: `did not answer ${method} in ${timeout} ms` })
      }, timeout)
      const settled = <T>(settle: (value: T) => void) => (value: T) => {
        clearTimeout(timer)
        settle(value)
      }
      this.#pending.set(id, { resolve: settled(resolve), reject: settled(reject) })
      if (!this.#child.connected) this.#fail(`has ended: ${this.#stderr.trim()}`)
      else this.#child.send({ id, method, argument }, (error) => { if (error !== null) this.#fail(error.message) })
    })
  }

  async end (): Promise<void> {
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), GRACE)
    if (this.#child.connected) this.#child.disconnect()
    await this.#ended
    clearTimeout(kill)
  }

  #settle (answer: Answer): void {
    const pending = this.#pending.get(answer.id)
    this.#pending.delete(answer.id)
    if ('error' in answer) pending?.reject(new Error(`${this.#name}: ${answer.error}`))
    else pending?.resolve(answer.result as never)
  }

  #fail (reason: string): void {
    for (const id of [...this.#pending.keys()]) this.#settle({ id, error: reason })
  }
}
