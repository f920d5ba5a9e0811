import { setTimeout as wait } from 'node:timers/promises'

/** Bytes of memory after garbage collection. */
export interface Memory { readonly heap: number, readonly external: number, readonly rss: number }

/** Resolves with the memory of this process. It needs the flag `--expose-gc`. */
export async function memory (): Promise<Memory> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc!()
    await wait(100)
  }
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heap: heapUsed, external, rss }
}
