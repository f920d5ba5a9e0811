import type { WebSocket } from 'ws'
import { Violation } from './requirement.ts'

/** How a connection ended. */
export interface Ending { readonly code: number, readonly reason: string }

/** A connection's frames, kept in order until they are asked for. */
export class Channel {
  readonly socket: WebSocket
  readonly #timeout: number
  readonly #frames: Array<string | Buffer> = []
  readonly #pongs: string[] = []
  #ending: Ending | undefined
  #changed = () => {}

  /** @param timeout ms that an answer may take */
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
      this.#ending = { code, reason: reason.toString() }
      this.#changed()
    })
    // The close event that follows says what there is to say.
    socket.on('error', () => {})
  }

  /** The next frame. @throws Violation when none comes */
  async next (wanted: string): Promise<string | Buffer> {
    await this.#until(() => this.#frames.length > 0 || this.#ending !== undefined, this.#timeout, wanted)
    const frame = this.#frames.shift()
    if (frame === undefined) throw new Violation(`${wanted} was awaited, but the connection ended with ${this.#ending?.code} ${this.#ending?.reason}`.trim())
    return frame
  }

  /** Sends a WebSocket ping; gives the payload of the pong. @throws Violation when none comes */
  async ping (payload: string): Promise<string> {
    this.socket.ping(payload)
    await this.#until(() => this.#pongs.length > 0, this.#timeout, 'a WebSocket pong')
    return this.#pongs.shift()!
  }

  /** @param timeout ms that it may take @throws Violation when it doesn't end */
  async ended (timeout = this.#timeout): Promise<Ending> {
    await this.#until(() => this.#ending !== undefined, timeout, 'the end of the connection')
    return this.#ending!
  }

  /** Breaks it without a closing handshake. */
  cut (): void { this.socket.terminate() }

  async #until (reached: () => boolean, timeout: number, wanted: string): Promise<void> {
    if (reached()) return
    const expired = await new Promise<boolean>((resolve) => {
      const deadline = setTimeout(() => resolve(true), timeout)
      this.#changed = () => {
        if (!reached()) return
        clearTimeout(deadline)
        resolve(false)
      }
    })
    if (expired) throw new Violation(`${wanted} was awaited for ${timeout} ms in vain`)
  }
}
