import { equal } from '../assertions.ts'
import type { Message } from '../client.ts'
import { requirement } from '../requirement.ts'

const feature = 'history-after'

export const history = [
  requirement('11', 'pages reach the first message without gaps or duplicates', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    const texts = Array.from({ length: 8 }, (_, i) => `message ${i}`)
    for (const text of texts) await ada.post(room, text)
    const bob = await server.welcomedClient()
    const read: Message[] = [...(await bob.join(room, { history: 2 })).messages]
    for (let more = true; more;) {
      const before = read[0]!.position
      bob.send({ type: 'history', room, before, limit: 4 })
      const page = await bob.receive('history')
      equal({ before: page.before, complete: page.complete }, { before, complete: true }, 'page')
      read.unshift(...page.messages)
      more = page.more
    }
    equal(read.map(({ text }) => text), texts, 'texts of all pages')
  }),

  requirement('11.2', 'the page before the first message is empty and complete', async (server) => {
    const room = server.room()
    const client = await server.joinedClient(room)
    const { position } = await client.post(room, 'first')
    client.send({ type: 'history', room, before: position, limit: 10 })
    const { messages, more, complete } = await client.receive('history')
    equal({ messages, more, complete }, { messages: [], more: false, complete: true }, 'page')
  }),

  requirement('11.2', 'a page before an unknown position is empty and incomplete', async (server) => {
    const room = server.room()
    const client = await server.joinedClient(room)
    await client.post(room, 'one')
    client.send({ type: 'history', room, before: 'of-another-epoch-7', limit: 10 })
    const { messages, more, complete } = await client.receive('history')
    equal({ messages, more, complete }, { messages: [], more: false, complete: false }, 'page')
  }),

  requirement('11', 'pages after a position reach the newest message without gaps or duplicates', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    const texts = Array.from({ length: 8 }, (_, i) => `message ${i}`)
    const positions = []
    for (const text of texts) positions.push((await ada.post(room, text)).position)
    const bob = await server.joinedClient(room)
    const read: Message[] = []
    for (let more = true; more;) {
      const after = read.at(-1)?.position ?? positions[0]!
      bob.send({ type: 'history', room, after, limit: 3 })
      const page = await bob.receive('history')
      equal({ before: page.before, after: page.after, complete: page.complete }, { before: undefined, after, complete: true }, 'page')
      read.push(...page.messages)
      more = page.more
    }
    equal(read.map(({ text }) => text), texts.slice(1), 'texts of all pages')
  }, feature),

  requirement('11.2', 'the page after the newest message is empty and complete', async (server) => {
    const room = server.room()
    const client = await server.joinedClient(room)
    const { position } = await client.post(room, 'newest')
    client.send({ type: 'history', room, after: position, limit: 10 })
    const { messages, more, complete } = await client.receive('history')
    equal({ messages, more, complete }, { messages: [], more: false, complete: true }, 'page')
  }, feature),

  requirement('11.2', 'a page after an unknown position is empty and incomplete', async (server) => {
    const room = server.room()
    const client = await server.joinedClient(room)
    await client.post(room, 'one')
    client.send({ type: 'history', room, after: 'of-another-epoch-7', limit: 10 })
    const { messages, more, complete } = await client.receive('history')
    equal({ messages, more, complete }, { messages: [], more: false, complete: false }, 'page')
  }, feature),

  requirement('11.1', 'a history request with both positions, or with none, is invalid', async (server) => {
    const room = server.room()
    const client = await server.joinedClient(room)
    for (const positions of [{}, { before: 'x', after: 'x' }]) {
      client.send({ type: 'history', room, ...positions, limit: 1 })
      await client.receiveError('invalid')
    }
  }, feature),

  requirement('11', "a history request doesn't change the client's position", async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    const first = await ada.post(room, 'one')
    const second = await ada.post(room, 'two')
    ada.send({ type: 'history', room, before: second.position, limit: 10 })
    equal((await ada.receive('history')).messages.map(({ position }) => position), [first.position], 'page')
    await ada.post(room, 'three')
    await ada.receiveNothing()
  })
]
