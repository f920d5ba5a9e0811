import type { Test } from 'tap'
import { ChatClient, type ChatClientOptions, type ClientRoom, type RoomEvents, type Status } from '../../src/client/node.ts'

/** Creates a client that reconnects within 20 ms. It is closed with the test. */
export function chatClient (t: Test, port: number, options: ChatClientOptions = {}): ChatClient {
  const client = new ChatClient(`ws://127.0.0.1:${port}/chat`, { minDelay: 1, maxDelay: 20, ...options })
  t.teardown(() => client.close())
  return client
}

/** Fixes the random part of reconnect delays for the test. @param random from 0 to 1; 1: each delay is its upper bound */
export function fixJitter (t: Test, random: number): void {
  t.intercept(Math, 'random', { value: () => random })
}

/** Resolves with the first status with that state: the current one or a later one. */
export function state<State extends Status['state']> (client: ChatClient, wanted: State): Promise<Extract<Status, { state: State }>> {
  type Wanted = Extract<Status, { state: State }>
  if (client.status.state === wanted) return Promise.resolve(client.status as Wanted)
  return next(client, wanted)
}

/** Resolves with the next status with that state. */
export function next<State extends Status['state']> (client: ChatClient, wanted: State): Promise<Extract<Status, { state: State }>> {
  return new Promise((resolve) => {
    const stop = client.on('status', (status) => {
      if (status.state !== wanted) return
      stop()
      resolve(status as Extract<Status, { state: State }>)
    })
  })
}

/** Resolves with the room's next event of this name that satisfies the predicate. */
export function nextEvent<Name extends keyof RoomEvents> (
  room: ClientRoom, name: Name, satisfies: (event: RoomEvents[Name]) => boolean = () => true
): Promise<RoomEvents[Name]> {
  return new Promise((resolve) => {
    const stop = room.on(name, (event) => {
      if (!satisfies(event)) return
      stop()
      resolve(event)
    })
  })
}
