import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'

/** The target of an attack, and its duration. */
export interface Target {
  readonly port: number
  /**
   * ms between two steps of one attacker. The default request rate allows a pace of 100. The pace is part of the attack, in real
   * time, because the limits are rates; no step waits for an outcome.
   */
  readonly pace: number
  /** Returns whether the attack goes on; called before each step of each attacker. */
  goesOn (): boolean
}

/** A client that obeys the protocol and means harm. It ignores what it receives, and reconnects when it is closed. */
export class Attacker {
  readonly #target: Target
  readonly #path: string
  readonly #protocols: string[]
  #socket: WebSocket | undefined

  constructor (target: Target, path = '/chat', protocols = ['fastify-chat.v1']) {
    this.#target = target
    this.#path = path
    this.#protocols = protocols
  }

  get socket (): WebSocket | undefined { return this.#socket }

  /** Runs the step at the target's pace while connected, until the attack ends. */
  async run (step: (attacker: Attacker, index: number) => void): Promise<void> {
    for (let index = 0; this.#target.goesOn(); index++) {
      try {
        await this.#connected()
        step(this, index)
      } catch { /* refused: it comes back with the next step */ }
      await sleep(this.#target.pace)
    }
    this.#socket?.terminate()
  }

  say (message: object): void { this.#socket?.send(JSON.stringify(message)) }

  write (bytes: Uint8Array): void {
    (this.#socket as WebSocket & { _socket?: { write (bytes: Uint8Array): void } } | undefined)?._socket?.write(bytes)
  }

  async #connected (): Promise<void> {
    if (this.#socket?.readyState === WebSocket.OPEN) return
    const socket = new WebSocket(`ws://127.0.0.1:${this.#target.port}${this.#path}`, this.#protocols)
    socket.on('error', () => {})
    await Promise.race([once(socket, 'open'), once(socket, 'close').then(() => { throw new Error('refused') })])
    this.#socket = socket
    if (this.#protocols.length > 0) this.say({ type: 'hello' })
  }
}
