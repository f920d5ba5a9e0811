import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * Resolves with a port on 127.0.0.1 that has no listener now. It is outside of the range from which systems choose the
 * ports of connections and of `listen(0)`, so no connection takes it before the caller's program listens, or between two starts.
 */
export async function freePort (): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_768)
    const listener = createServer()
    const free = await new Promise<boolean>((resolve) => {
      listener.once('error', () => resolve(false))
      listener.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!free) continue
    await new Promise((resolve) => listener.close(resolve))
    return port
  }
}
