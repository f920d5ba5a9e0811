import type { Message } from '../../messages.ts'
import { applyChanges } from '../apply-change.ts'
import { MAX_EVENTS } from '../bounds.ts'
import { ChatError } from '../error.ts'
import { contentOf } from './content.ts'
import { iteration, type Iteration } from './iteration.ts'
import type { WaitingPost } from '../requests/request-queue.ts'
import type { Of, RoomEvents } from '../room-events.ts'

/** What a room delivers to its listeners and iterations. */
export type Delivery =
  | Of<'message' | 'changed' | 'presence' | 'typing' | 'signal'>
  | RoomEvents['joined']
  | RoomEvents['readPosition'] & { readonly type: 'readPosition' }
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

type Emit = <Name extends keyof RoomEvents>(name: Name, event: RoomEvents[Name]) => void

export type Deliveries = ReturnType<typeof deliveries>

/**
 * Delivers the events of a room to its listeners, iterations and timelines, and buffers them until the first of these is attached.
 * @param emit calls the listeners of an event
 * @param joinedNow returns the `joined` that replaces the buffered events when there are too many
 */
export function deliveries (emit: Emit, joinedNow: () => RoomEvents['joined']) {
  const iterations = new Set<Iteration>()
  const timelines = new Set<DeliveryReceiver>()
  /** The newest message, with its changes; empty if it was not received. */
  let newest: readonly Message[] = []
  /** Position up to which messages were dispatched; undefined before the first `joined`. */
  let position: string | undefined
  /** The events before the first listener; undefined: events are dispatched at once. */
  let buffered: Delivery[] | undefined = []
  /** Whether the first of the buffered events was dispatched. */
  let hasBegun = false
  /** The event that has replaced the buffered ones. */
  let gap: Delivery | undefined
  /** Set when the room has ended. error: undefined if the app ended it. */
  let ended: { readonly error: ChatError | undefined } | undefined

  function dispatch (delivery: Delivery): void {
    const { messages, changes } = contentOf(delivery)
    for (const timeline of timelines) timeline.receive(delivery)
    if (delivery === gap) endIterations(new ChatError('overflow', `more than ${MAX_EVENTS} events arrived before the first listener`))
    if (delivery.type === 'end') endIterations(delivery.error)
    if (delivery.type === 'joined' && !delivery.complete) newest = []
    newest = [...applyChanges(newest, changes), ...messages].slice(-1)
    if (delivery.type === 'joined' || delivery.type === 'message') position = delivery.position
    if (delivery.type === 'typing') emit('typing', { ...delivery.from, on: delivery.on ?? true })
    else if (delivery.type === 'end') emit('left', delivery.error)
    else emit(delivery.type, delivery as never)
    if (delivery.type === 'joined' && !delivery.again) return
    for (const iteration of iterations) {
      changes.forEach(iteration.apply)
      messages.forEach(iteration.push)
    }
  }

  function endIterations (error?: ChatError): void { for (const iteration of iterations) iteration.end(error) }

  /** Delivers the buffered events when all listeners of this tick are attached. */
  function replay (): void {
    if (buffered === undefined) return
    queueMicrotask(() => {
      hasBegun = true
      // A listener may end the room, which drops the buffered events.
      for (let next = buffered?.shift(); next !== undefined; next = buffered?.shift()) dispatch(next)
      buffered = undefined
    })
  }

  return {
    timelines,
    replay,

    get newest (): readonly Message[] { return newest },

    get position (): string | undefined { return position },

    push (delivery: Delivery): void {
      if (buffered === undefined) return dispatch(delivery)
      // A buffered `typing` or `signal` would be out of date.
      if (delivery.type === 'typing' || delivery.type === 'signal') return
      if (buffered.push(delivery) > MAX_EVENTS && delivery.type !== 'end') buffered = [gap = joinedNow()]
    },

    /** Adds a timeline. Events that are still buffered are delivered to it. */
    attach (timeline: DeliveryReceiver): void {
      if (hasBegun || buffered === undefined) timeline.startLate()
      timelines.add(timeline)
      replay()
    },

    /** Returns a new iteration over the later messages, the buffered ones included. */
    iterate (): Iteration {
      const added = iteration(() => iterations.delete(added))
      iterations.add(added)
      if (ended !== undefined && !buffered?.length) endIterations(ended.error)
      replay()
      return added
    },

    /** Ends the room. @param own whether the app has ended it: buffered events are dropped, and iterations end without an error */
    end (error: ChatError, own: boolean): void {
      ended = { error: own ? undefined : error }
      if (!own) return this.push({ type: 'end', error })
      buffered = undefined
      endIterations()
      for (const timeline of timelines) timeline.close()
    }
  }
}
