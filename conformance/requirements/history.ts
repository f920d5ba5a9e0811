import type { Message } from '../client.ts'
import { requirement, same } from '../requirement.ts'

export const history = [
  requirement('11', 'pages lead back to the first message, with nothing lost or doubled', async (server) => {
    const room = server.room()
    const ada = await server.enterRoom(room)
    const texts = Array.from({ length: 8 }, (_, i) => `message ${i}`)
    for (const text of texts) await ada.post(room, text)
    const bob = await server.enter()
    const had: Message[] = [...(await bob.join(room, { history: 2 })).messages]
    for (let more = true; more;) {
      const before = had[0]!.position
      bob.say({ type: 'history', room, before, limit: 4 })
      const page = await bob.hear('history')
      same({ before: page.before, complete: page.complete }, { before, complete: true }, 'the page')
      had.unshift(...page.messages)
      more = page.more
    }
    same(had.map(({ text }) => text), texts, 'what was read')
  }),

  requirement('11.2', 'before the first message there is nothing', async (server) => {
    const room = server.room()
    const client = await server.enterRoom(room)
    const { position } = await client.post(room, 'first')
    client.say({ type: 'history', room, before: position, limit: 10 })
    const { messages, more, complete } = await client.hear('history')
    same({ messages, more, complete }, { messages: [], more: false, complete: true }, 'the page')
  }),

  requirement('11.2', 'before what is not kept nothing is vouched for', async (server) => {
    const room = server.room()
    const client = await server.enterRoom(room)
    await client.post(room, 'one')
    client.say({ type: 'history', room, before: 'of-another-life-7', limit: 10 })
    const { messages, more, complete } = await client.hear('history')
    same({ messages, more, complete }, { messages: [], more: false, complete: false }, 'the page')
  }),

  requirement('11', 'it does not move the place of the client', async (server) => {
    const room = server.room()
    const ada = await server.enterRoom(room)
    const first = await ada.post(room, 'one')
    const second = await ada.post(room, 'two')
    ada.say({ type: 'history', room, before: second.position, limit: 10 })
    same((await ada.hear('history')).messages.map(({ position }) => position), [first.position], 'the page')
    await ada.post(room, 'three')
    await ada.hearNothing()
  })
]
