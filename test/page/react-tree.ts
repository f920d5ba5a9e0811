import type { ChatClient, ChatClientOptions } from '../../src/client/index.ts'
import type { UseRoomResult } from '../../src/react/index.ts'

/** What the page renders: providers, and in each of them components that show a room. */
export interface Tree {
  readonly strict?: boolean
  /** The mode of an `Activity` around the providers, which React 19 has. */
  readonly activity?: 'visible' | 'hidden'
  readonly providers: ReadonlyArray<{
    readonly key?: string
    /** Name of a client of the page; else the provider creates one from `url`. */
    readonly client?: string
    readonly url?: string
    readonly options?: ChatClientOptions
    readonly rooms: ReadonlyArray<{ readonly id: string, readonly name: string, readonly key?: string, readonly history?: number, readonly size?: number }>
    readonly showsClient?: boolean
  }>
}

/** The functions of the page that a test calls. */
export interface ReactPage {
  createClient (name: string, options?: ChatClientOptions): void
  /** Returns a client that was created. */
  client (name: string): ChatClient
  render (tree: Tree): void
  /** Hydrates the HTML of a server. An error of it is uncaught. */
  hydrate (tree: Tree): void
  unmount (): void
  /** Resolves in a later task, when unused rooms are left. */
  turn (): Promise<void>
  /** Returns the last result of the component with this id. */
  result (id: string): UseRoomResult
  /** Returns the states of clients that components have shown. */
  states (): readonly string[]
  /** Returns the ids of components with a result that was replaced although nothing in it had changed. */
  replaced (): readonly string[]
  /** Returns the number of listeners that were added and not removed, of all clients and of the window. */
  listeners (): number
  /** Of the classes whose objects are counted. */
  readonly prototypes: readonly object[]
}
