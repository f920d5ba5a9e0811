import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { tick } from './tick.ts'

setFlagsFromString('--expose-gc')

/** Collects all garbage. */
export const collectGarbage = runInNewContext('gc') as () => void

/** Returns the bytes in use after garbage collection, in V8's heap and in array buffers outside of it. */
export async function memoryInUse (): Promise<number> {
  for (let i = 0; i < 3; i++) {
    // Array buffers are freed a tick after their owner.
    await tick()
    collectGarbage()
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
