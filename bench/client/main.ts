import { ChatClient, type ClientRoom, type Timeline } from '../../src/client/node.ts'
import { answerCalls } from '../calls.ts'
import { memory } from '../memory.ts'

/** What the client of this process does. */
export interface ClientJob { readonly port: number, readonly rooms: number, readonly messages: number, readonly timelines: boolean }

/** Rooms that are filled at a time: few, because each post looks at all that wait. */
const CONCURRENT_ROOMS = 20

let client: ChatClient
/** Kept, as an app keeps what it shows. */
const kept: Array<ClientRoom | Timeline> = []

answerCalls({
  /** Connects, and posts the messages of the rooms. */
  async open ({ port, rooms, messages }: ClientJob): Promise<void> {
    client = new ChatClient(`ws://127.0.0.1:${port}/chat`, { name: 'ada', queue: Infinity })
    let next = 0
    const fillOneByOne = async () => {
      while (next < rooms) {
        const n = next++
        const room = await client.join(`room-${n}`, { history: 0 })
        await Promise.all(Array.from({ length: messages }, async (_, i) => await room.post(`message ${i} of the room ${n}`)))
        room.leave()
      }
    }
    await Promise.all(Array.from({ length: CONCURRENT_ROOMS }, fillOneByOne))
  },
  /** Joins the rooms, with a listener or a timeline each. */
  async join ({ rooms, messages, timelines }: ClientJob): Promise<void> {
    for (let n = 0; n < rooms; n++) {
      const room = await client.join(`room-${n}`, { history: messages })
      if (timelines) {
        const timeline = room.timeline()
        timeline.subscribe(() => {})
        kept.push(timeline)
      } else {
        room.on('message', () => {})
        kept.push(room)
      }
    }
    for (const each of kept) if ('getSnapshot' in each) each.getSnapshot()
  },
  memory
})
