/** Longest and shortest time between two sweeps, in ms. */
const [MAX_SWEEP_INTERVAL, MIN_SWEEP_INTERVAL] = [60_000, 1_000]

/** Returns the ms between two sweeps that remove expired entries and rooms. */
export function sweepInterval ({ historyAge, roomTtl }: { readonly historyAge: number, readonly roomTtl: number }): number {
  return Math.max(MIN_SWEEP_INTERVAL, Math.min(historyAge, roomTtl, MAX_SWEEP_INTERVAL))
}
