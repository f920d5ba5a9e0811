import type { Change, Message } from '../messages.ts'
import { applyChange } from './apply-change.ts'
import { ChatError } from './error.ts'
import { Iteration } from './iteration.ts'
import type { WaitingPost } from './request-queue.ts'
import { ReplayBuffer } from './replay-buffer.ts'
import type { Of, RoomEvents } from './room-events.ts'

/** What a room delivers to its listeners and iterations. */
export type Delivery =
  | Of<'message' | 'changed' | 'presence' | 'typing' | 'signal'>
  | RoomEvents['joined']
  | RoomEvents['readPosition'] & { readonly type: 'readPosition' }
  /** Replaces the buffered events when there are too many. */
  | { readonly type: 'gap', readonly joined: RoomEvents['joined'] }
  | { readonly type: 'end', readonly error: ChatError }

/** The methods that a room calls on its timelines. */
export interface DeliveryReceiver {
  /** Called instead of `receive` for the first events, if they were delivered before. */
  startLate (): void
  receive (delivery: Delivery): void
  /** Called with each post that waits for acknowledgement. */
  onPost (post: WaitingPost): void
  /** Called when the app has ended the room. */
  close (): void
}

/** Maximum events that are buffered for the first listener. */
const MAX_BUFFERED = 1_000

type Emit = <Name extends keyof RoomEvents>(name: Name, event: RoomEvents[Name]) => void

/** Delivers the events of a room to its listeners and iterations, and buffers them until there is one. */
export class Deliveries {
  readonly #emit: Emit
  readonly #gap: () => RoomEvents['joined']
  readonly #iterations = new Set<Iteration>()
  readonly timelines = new Set<DeliveryReceiver>()
  /** The newest message, with its changes; undefined if it was not received. */
  last: Message | undefined
  readonly #buffer = new ReplayBuffer<Delivery>((delivery) => this.#dispatch(delivery))
  /** Set when the room has ended. error: undefined if the app ended it. */
  #ended: { readonly error: ChatError | undefined } | undefined

  /**
   * @param emit calls the listeners of an event
   * @param gap returns the `joined` that replaces the buffered events when there are too many
   */
  constructor (emit: Emit, gap: () => RoomEvents['joined']) {
    this.#emit = emit
    this.#gap = gap
  }

  push (delivery: Delivery): void {
    if ((delivery.type === 'typing' || delivery.type === 'signal') && this.#buffer.open) return
    this.#buffer.push(delivery)
    if (this.#buffer.size > MAX_BUFFERED) this.#buffer.replace({ type: 'gap', joined: this.#gap() })
  }

  /** Delivers the buffered events when all listeners of this tick are attached. */
  replay (): void { this.#buffer.replay() }

  /** Adds a timeline. Events that are buffered are delivered to it. */
  attach (timeline: DeliveryReceiver): void {
    if (!this.#buffer.open) timeline.startLate()
    this.timelines.add(timeline)
    this.replay()
  }

  /** Returns a new iteration over the later messages, the buffered ones included. */
  iterate (): Iteration {
    const iteration: Iteration = new Iteration(() => this.#iterations.delete(iteration))
    this.#iterations.add(iteration)
    if (this.#ended !== undefined && this.#buffer.size === 0) this.#endIterations(this.#ended.error)
    this.replay()
    return iteration
  }

  /** Ends the room. The app has ended it if `own`: buffered events are dropped then, and iterations end without an error. */
  end (error: ChatError, own: boolean): void {
    this.#ended = { error: own ? undefined : error }
    if (own) {
      this.#buffer.close()
      this.#endIterations()
      for (const timeline of this.timelines) timeline.close()
    } else {
      this.#buffer.push({ type: 'end', error })
    }
  }

  #dispatch (delivery: Delivery): void {
    for (const timeline of this.timelines) timeline.receive(delivery)
    switch (delivery.type) {
      case 'joined':
        if (!delivery.complete) this.last = undefined
        for (const change of delivery.changes ?? []) this.#change(change)
        this.last = delivery.messages.at(-1) ?? this.last
        this.#emit('joined', delivery)
        if (delivery.again) this.#resume(delivery)
        break
      case 'message':
        this.last = delivery
        this.#emit('message', delivery)
        this.#iterate(delivery)
        break
      case 'changed':
        this.#change(delivery)
        this.#emit('changed', delivery)
        for (const iteration of this.#iterations) iteration.apply(delivery)
        break
      case 'typing':
        this.#emit('typing', { ...delivery.from, on: delivery.on ?? true })
        break
      case 'presence':
      case 'signal':
      case 'readPosition':
        this.#emit(delivery.type, delivery as never)
        break
      case 'gap':
        this.last = undefined
        this.#endIterations(new ChatError('overflow', `more than ${MAX_BUFFERED} events arrived before the first listener`))
        this.#emit('joined', delivery.joined)
        break
      case 'end':
        this.#endIterations(this.#ended?.error)
        this.#emit('left', delivery.error)
    }
  }

  #change (change: Change): void {
    if (this.last?.position === change.position) this.last = applyChange(this.last, change)
  }

  #resume ({ changes = [], messages }: RoomEvents['joined']): void {
    for (const iteration of this.#iterations) {
      for (const change of changes) iteration.apply(change)
    }
    for (const message of messages) this.#iterate(message)
  }

  #iterate (message: Message): void {
    for (const iteration of this.#iterations) iteration.push(message)
  }

  #endIterations (error?: ChatError): void {
    for (const iteration of this.#iterations) iteration.end(error)
  }
}
