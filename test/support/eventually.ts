import { setTimeout as pause } from 'node:timers/promises'

/** ms between two questions */
const PAUSE = 10

/**
 * Resolves once a condition of another process holds, of which no event tells. Asking without a pause would take all the CPU
 * time of both processes.
 */
export async function eventually (holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!await holds()) await pause(PAUSE)
}
