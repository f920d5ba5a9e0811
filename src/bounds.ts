/**
 * Fixed bounds: no app has a reason to change them, because no client that works reaches one. Tests lower them with
 * `pluginWith`.
 */
export interface Bounds {
  /** ms from the start of a message within which it must be complete; 64 KiB need 18 kbit/s */
  readonly messageTimeout: number
  /** pings and pongs of a connection per second, with a burst of five times as many; clients send one in 25 s */
  readonly controlRate: number
  /** concurrent upgrades; together their requests may take 32 KiB of memory for each: 63 MiB */
  readonly handshakes: number
  /** bytes of missed messages of a connection per second, with a burst of eight times as many; one resume must not delay others */
  readonly replayRate: number
  /** ms after its last renewal that a streamed text is ended as unfinished; its process renews it three times as often */
  readonly streamLease: number
}

export const BOUNDS: Bounds = {
  messageTimeout: 30_000,
  controlRate: 10,
  handshakes: 2_000,
  replayRate: 1024 * 1024,
  streamLease: 30_000
}
