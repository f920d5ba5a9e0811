import { join } from 'node:path'
import type { Server } from './contenders.ts'
import { Process } from './processes.ts'

/** The server processes of one contender. */
export class Nodes {
  readonly #processes: readonly Process[]

  constructor ({ server, root, nodes = 1 }: Server) {
    const folder = root === undefined ? import.meta.dirname : join(root, 'bench')
    this.#processes = Array.from({ length: nodes }, () => new Process(join(folder, 'servers', `${server}.ts`), ['--expose-gc']))
  }

  get first (): Process { return this.#processes[0]! }

  /** Resolves with the ports. */
  start (options: object): Promise<number[]> { return this.call('start', options) }

  call<Result>(method: string, argument?: unknown): Promise<Result[]> {
    return Promise.all(this.#processes.map((process) => process.call<Result>(method, argument)))
  }

  async end (): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.end()))
  }
}
