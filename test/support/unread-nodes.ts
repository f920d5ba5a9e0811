import type { Test } from 'tap'
import type { Backend, FastifyChatOptions, Store } from '../../src/index.ts'
import { storeWith } from './backend.ts'
import { chat, type ChatApp } from './chat-app.ts'

/** The token of a client is the id of its member. */
const authenticate: FastifyChatOptions['authenticate'] = (request, { token }) => ({ id: token ?? (request.query as { token: string }).token })

/** Number of runs, of what was done in them, and of counts that were compared. */
export interface UnreadTally { runs: number, operations: number, compared: number }

/** Two nodes of a chat, which can be restarted. */
export class UnreadNodes {
  readonly tally: UnreadTally = { runs: 0, operations: 0, compared: 0 }
  readonly test: Test
  readonly #backends: readonly Backend[]
  /** Whether a restart stops both nodes before it starts one. */
  readonly #isOneProcess: boolean
  #nodes: readonly ChatApp[] = []
  /** Number of the next writes of read positions that fail. Every other one is made nevertheless. */
  failures = 0

  private constructor (t: Test, backends: readonly Backend[], isOneProcess: boolean) {
    this.test = t
    // Nodes share a backend that is the same object.
    const failing = new Map(backends.map((backend) => [backend, this.#failing(backend)]))
    this.#backends = backends.map((backend) => failing.get(backend)!)
    this.#isOneProcess = isOneProcess
  }

  static async start (t: Test, backends: readonly Backend[], isOneProcess: boolean): Promise<UnreadNodes> {
    const nodes = new UnreadNodes(t, backends, isOneProcess)
    nodes.#nodes = await Promise.all(nodes.#backends.map((backend) => nodes.#start(backend)))
    return nodes
  }

  get all (): readonly ChatApp[] { return this.#nodes }

  of (number: number): ChatApp { return this.#nodes[number % this.#nodes.length]! }

  async restart (number: number): Promise<void> {
    this.failures = 0
    const restarted = this.#nodes.map((_, i) => this.#isOneProcess || i === number % this.#nodes.length)
    await Promise.all(this.#nodes.map(async ({ app }, i) => { if (restarted[i]!) await app.close() }))
    this.#nodes = await Promise.all(this.#nodes.map(async (node, i) => restarted[i]! ? await this.#start(this.#backends[i]!) : node))
  }

  #failing (backend: Backend): Backend {
    const markRead = (works: Store): Store['markRead'] => async (...args) => {
      if (this.failures === 0) return await works.markRead(...args)
      if (--this.failures % 2 === 0) await works.markRead(...args)
      throw new Error('unavailable')
    }
    return {
      async open (app) {
        const opened = await backend.open(app)
        return { roster: opened.roster, store: storeWith(opened.store, (works) => ({ markRead: markRead(works) })), close: async () => { await opened.close() } }
      }
    }
  }

  async #start (backend: Backend): Promise<ChatApp> { return await chat(this.test, { backend, authenticate, drainTimeout: 1 }) }
}
