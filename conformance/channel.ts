import type { WebSocket } from 'ws'
import { Violation } from './assertions.ts'

export interface CloseEvent { readonly code: number, readonly reason: string }

/** A connection and the frames that it has received, in order. */
export class Channel {
  readonly socket: WebSocket
  readonly #timeout: number
  readonly #frames: Array<string | Buffer> = []
  readonly #pongs: string[] = []
  #closed: CloseEvent | undefined
  #changed = () => {}

  /** @param timeout ms within which an answer must arrive */
  constructor (socket: WebSocket, timeout: number) {
    this.socket = socket
    this.#timeout = timeout
    socket.on('message', (data: Buffer, isBinary) => {
      this.#frames.push(isBinary ? data : data.toString())
      this.#changed()
    })
    socket.on('pong', (payload) => {
      this.#pongs.push(payload.toString())
      this.#changed()
    })
    socket.on('close', (code, reason) => {
      this.#closed = { code, reason: reason.toString() }
      this.#changed()
    })
    // A close event follows with the code.
    socket.on('error', () => {})
  }

  /**
   * Resolves with the next frame. Rejects with a Violation if none arrives.
   * @param expected a description of the frame
   */
  async next (expected: string): Promise<string | Buffer> {
    await this.#until(() => this.#frames.length > 0 || this.#closed !== undefined, this.#timeout, expected)
    const frame = this.#frames.shift()
    if (frame === undefined) throw new Violation(`expected ${expected}, but the connection closed with ${this.#closed?.code} ${this.#closed?.reason}`.trim())
    return frame
  }

  /** Sends a WebSocket ping. Resolves with the payload of the pong. Rejects with a Violation if none arrives. */
  async ping (payload: string): Promise<string> {
    this.socket.ping(payload)
    await this.#until(() => this.#pongs.length > 0, this.#timeout, 'a WebSocket pong')
    return this.#pongs.shift()!
  }

  /** Resolves when the connection is closed. Rejects with a Violation if it stays open. @param timeout ms */
  async closed (timeout = this.#timeout): Promise<CloseEvent> {
    await this.#until(() => this.#closed !== undefined, timeout, 'a close event')
    return this.#closed!
  }

  /** Terminates the connection. */
  terminate (): void { this.socket.terminate() }

  async #until (reached: () => boolean, timeout: number, expected: string): Promise<void> {
    if (reached()) return
    const expired = await new Promise<boolean>((resolve) => {
      const deadline = setTimeout(() => resolve(true), timeout)
      this.#changed = () => {
        if (!reached()) return
        clearTimeout(deadline)
        resolve(false)
      }
    })
    if (expired) throw new Violation(`expected ${expected}, but none arrived within ${timeout} ms`)
  }
}
