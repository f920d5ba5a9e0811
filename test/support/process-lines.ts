import { spawn, type ChildProcess } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import type { Test } from 'tap'

/** The lines that a child process prints. */
export class Lines extends EventEmitter {
  readonly child: ChildProcess
  readonly lines: string[] = []
  readonly ended: Promise<unknown>
  #rest = ''

  constructor (t: Test, args: string[]) {
    super()
    this.child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    t.teardown(() => this.child.kill('SIGKILL'))
    this.ended = once(this.child, 'close')
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n')
      this.#rest = lines.pop()!
      this.lines.push(...lines)
      this.emit('lines')
    })
  }

  async has (count: number): Promise<void> {
    while (this.lines.length < count) await Promise.race([once(this, 'lines'), this.ended.then(() => { throw new Error('it ended') })])
  }

  async kill (): Promise<void> {
    this.child.kill('SIGKILL')
    await this.ended
  }
}
