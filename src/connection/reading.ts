import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** The private `_handle` of a `net.Socket`, as seen on Node 20.20. */
interface Handle { reading: boolean, readStart (): void, readStop (): void }

function handleOf (stream: Duplex): Handle | undefined {
  return stream instanceof Socket ? (stream as Socket & { _handle?: Handle | null })._handle ?? undefined : undefined
}

/** Leaves the client's bytes in the kernel. A socket that is only paused continues to read until its buffer is full. */
export function stopReading (stream: Duplex): void {
  const handle = handleOf(stream)
  if (handle?.reading !== true) return
  handle.reading = false
  handle.readStop()
}

export function startReading (stream: Duplex): void {
  const handle = handleOf(stream)
  if (handle === undefined || handle.reading) return
  handle.reading = true
  handle.readStart()
}
