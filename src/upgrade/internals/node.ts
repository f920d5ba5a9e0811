import type { EventEmitter } from 'node:events'
import { ServerResponse, type IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** Returns the response that is assigned to a socket. Reads the private `_httpMessage`, Node 20 to 26. */
export function responseUnderWay (socket: Duplex): ServerResponse | undefined {
  return (socket as Duplex & { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined
}

/**
 * Creates a response that is written to the socket of an upgrade. Node creates none. `assignSocket` is undocumented, Node 20 to
 * 26.
 * @throws if a response is assigned to the socket
 */
export function assignResponse (request: IncomingMessage, socket: Duplex): ServerResponse {
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket as typeof request.socket)
  return response
}

/**
 * Detaches a response from a socket that was upgraded. Otherwise the socket would keep the response and its request in memory.
 * `detachSocket` is undocumented, Node 20 to 26.
 */
export function detachResponse (response: ServerResponse, socket: Duplex): void {
  response.detachSocket(socket as IncomingMessage['socket'])
}

/** Event of an intercepted server. Emitted with `(request, socket)` for each upgrade, before it is dispatched. */
const upgradeSeen = Symbol('upgrade seen')

const intercepted = new WeakSet<EventEmitter>()

/**
 * Calls `seen` with the socket of the next upgrade, before it is dispatched.
 * @returns a function that removes the listener
 */
export function onNextUpgrade (server: EventEmitter, seen: (socket: Duplex) => void): () => void {
  const event = intercepted.has(server) ? upgradeSeen : 'upgrade'
  const listener = (_request: IncomingMessage, socket: Duplex) => seen(socket)
  server.prependOnceListener(event, listener)
  return () => { server.off(event, listener) }
}

export type UpgradeArguments = [request: IncomingMessage, socket: Duplex, head: Buffer]

/**
 * Passes each `upgrade` event of a server to one function, which decides whether the listeners receive it. Replaces the
 * server's `emit`, because a listener can't withhold an event from other listeners.
 * @param take handles an upgrade; calls `pass` to emit the event to the listeners
 * @returns a function that restores the server
 */
export function interceptUpgrades (server: EventEmitter, take: (...args: [...UpgradeArguments, pass: () => void]) => void): () => void {
  const replaced = Object.getOwnPropertyDescriptor(server, 'emit')
  const original = server.emit
  let active = true
  /** Looks up an inherited `emit` on each call: tracing tools replace it on the prototype. */
  const emitOriginal = (args: unknown[]) => {
    const emit = replaced === undefined ? (Object.getPrototypeOf(server) as EventEmitter).emit : original
    return Reflect.apply(emit, server, args) as boolean
  }
  function emit (...args: unknown[]): boolean {
    if (args[0] !== 'upgrade' || !active) return emitOriginal(args)
    const [, request, socket, head] = args as [string, ...UpgradeArguments]
    emitOriginal([upgradeSeen, request, socket])
    take(request, socket, head, () => { emitOriginal(args) })
    return true
  }
  server.emit = emit
  intercepted.add(server)
  // Without a listener, Node handles an upgrade as a request or destroys its socket, and emits no event.
  server.on('upgrade', ignore)
  return () => {
    active = false
    intercepted.delete(server)
    server.off('upgrade', ignore)
    // Code that replaced `emit` later still calls this function, which now only forwards the event.
    if (server.emit !== emit) return
    if (replaced === undefined) delete (server as { emit?: unknown }).emit
    else Object.defineProperty(server, 'emit', replaced)
  }
}

function ignore (): void {}

/** The private `_handle` of a `net.Socket`, verified on Node 20.20. */
interface Handle { reading: boolean, readStart (): void, readStop (): void }

/** Stops reading a socket, so that the client's bytes stay in the kernel. A paused socket would read until its buffer is full. */
export function stopReading (stream: Duplex): void {
  const handle = handleOf(stream)
  if (handle?.reading !== true) return
  handle.reading = false
  handle.readStop()
}

/** Undoes `stopReading`. */
export function startReading (stream: Duplex): void {
  const handle = handleOf(stream)
  if (handle === undefined || handle.reading) return
  handle.reading = true
  handle.readStart()
}

/** Returns the handle of a socket; undefined for an injected stream, or a socket that has ended. */
function handleOf (stream: Duplex): Handle | undefined {
  return stream instanceof Socket ? (stream as Socket & { _handle?: Handle | null })._handle ?? undefined : undefined
}
