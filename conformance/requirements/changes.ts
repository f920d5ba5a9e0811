import { equal, ok } from '../assertions.ts'
import { newId, type Change, type Client, type Message } from '../client.ts'
import { requirement as ofEveryServer, type Requirement } from '../requirement.ts'
import type { Server } from '../server.ts'

const announced = { changes: true } as const

function requirement (section: string, title: string, check: Requirement['check']): Requirement {
  return ofEveryServer(section, title, check, 'changes')
}

/** Resolves with two members of a room, who announce changes, and a message of the first. */
async function two (server: Server) {
  const room = server.room()
  const ada = await server.joinedClient(room, announced)
  const bob = await server.joinedClient(room, announced)
  const { position } = await ada.post(room, 'one', { data: { n: 1 } })
  await bob.receive('message')
  return { room, ada, bob, position, at: { room, position } }
}

/** Resolves with the room's only message, as a client that joins now receives it. */
async function messageNow (server: Server, room: string, session?: string): Promise<Message> {
  const client = await server.joinedClient(room, { ...announced, ...session !== undefined && { session } })
  equal(client.joined.messages.length, 1, 'number of messages')
  return client.joined.messages[0]!
}

/** Requests a change that has no effect. Resolves with the revision of its ack. */
async function unchanged (client: Client, request: object): Promise<string | undefined> {
  const id = newId()
  client.send({ ...request, id })
  const ack = await client.receive('ack')
  equal(ack.id, id, 'id of the ack')
  return ack.revision
}

/** What a member has of one message, and the number of acks that it has received. */
interface View { text: string | undefined, revision: string | undefined, readonly reactions: Set<string>, acks: number }

/** Applies what a client receives until the condition holds. */
async function receiveUntil (client: Client, view: View, reached: (view: View) => boolean): Promise<void> {
  while (!reached(view)) {
    const message = await client.receiveOneOf('changed', 'ack')
    if (message.type === 'ack') {
      view.acks++
      continue
    }
    view.text = message.text ?? view.text
    view.revision = message.revision
    for (const { reaction } of message.reactions ?? []) view.reactions.add(reaction)
  }
}

/** Resolves with all changes of a client that resumes, until the message with this text. */
async function receiveChanges (client: Client, first: readonly Change[], text: string): Promise<Change[]> {
  const changes = [...first]
  for (;;) {
    const message = await client.receiveOneOf('changed', 'message')
    if (message.type === 'changed') changes.push(message)
    else if (message.text === text) return changes
  }
}

export const changes = [
  requirement('20.1', "a client that doesn't announce changes receives none, and messages as they are by then", async (server) => {
    const { room, ada, at } = await two(server)
    const old = await server.joinedClient(room)
    await ada.change({ type: 'edit', ...at, text: 'two' })
    await ada.change({ type: 'react', ...at, reaction: '👍', on: true })
    await old.receiveNothing()
    const later = await server.joinedClient(room)
    equal({ revision: later.joined.revision, changes: later.joined.changes }, { revision: undefined, changes: undefined }, 'joined')
    const { text, data, revision, editedAt, reactions } = later.joined.messages[0]!
    equal({ text, data, revision, editedAt, reactions }, { text: 'two', data: undefined, revision: undefined, editedAt: undefined, reactions: undefined }, 'message')
  }),

  requirement('20.2', 'an edit replaces text and data, for all members', async (server) => {
    const { room, ada, bob, position } = await two(server)
    const first = await ada.change({ type: 'edit', room, position, text: 'two', data: [2] })
    equal({ text: first.text, data: first.data }, { text: 'two', data: [2] }, 'first edit')
    ok(first.editedAt !== undefined, 'the edit has no editedAt')
    const second = await ada.change({ type: 'edit', room, position, text: 'three' })
    equal({ text: second.text, hasData: 'data' in second }, { text: 'three', hasData: false }, 'second edit')
    equal([await bob.receive('changed'), await bob.receive('changed')], [first, second], 'the changes at the other member')
    const { text, editedAt, revision } = await messageNow(server, room)
    equal({ text, editedAt, revision }, { text: 'three', editedAt: second.editedAt, revision: second.revision }, 'message in joined')
  }),

  requirement('20.2', 'a deletion removes the content and the reactions, and later edits and reactions are refused', async (server) => {
    const { room, ada, bob, position, at } = await two(server)
    await bob.change({ type: 'react', ...at, reaction: '👍', on: true })
    await ada.receive('changed')
    const { deleted, text, reactions } = await ada.change({ type: 'delete', ...at })
    equal({ deleted, text, reactions }, { deleted: true, text: undefined, reactions: undefined }, 'changed')
    for (const request of [{ type: 'edit', text: 'back' }, { type: 'react', reaction: '👍', on: true }]) {
      ada.send({ ...request, ...at, id: 'c1' })
      equal((await ada.receiveError('deleted')).id, 'c1', 'id of the error')
    }
    const now = await messageNow(server, room)
    equal({ ...now, at: '', from: null, revision: '' }, { room, position, at: '', from: null, text: '', revision: '', deleted: true }, 'message in joined')
  }),

  requirement('20.2', 'reactions are counted by member, and removed by the member alone', async (server) => {
    const { room, ada, bob, at } = await two(server)
    const react = (client: Client, on: boolean) => client.change({ type: 'react', ...at, reaction: '👍', on })
    const counts = []
    for (const [client, other, on] of [[ada, bob, true], [bob, ada, true], [ada, bob, false], [bob, ada, false]] as const) {
      counts.push((await react(client, on)).reactions?.map(({ reaction, count }) => ({ reaction, count })))
      await other.receive('changed')
    }
    equal(counts, [1, 2, 1, 0].map((count) => [{ reaction: '👍', count }]), 'reactions')
    ok(!('reactions' in await messageNow(server, room)), 'the message has reactions')
  }),

  requirement('20.3', "mine is sent to the member's own connections only", async (server) => {
    const { room, ada, bob, at } = await two(server)
    const device = await server.joinedClient(room, { ...announced, session: ada.welcome.session })
    for (const on of [true, false]) {
      equal((await ada.change({ type: 'react', ...at, reaction: '👍', on })).reactions?.[0]?.mine, on, 'mine at the member')
      equal((await device.receive('changed')).reactions?.[0]?.mine, on, "mine at the member's other connection")
      equal((await bob.receive('changed')).reactions?.[0]?.mine, undefined, 'mine at another member')
    }
    await ada.change({ type: 'react', ...at, reaction: '👍', on: true })
    equal((await messageNow(server, room, ada.welcome.session)).reactions, [{ reaction: '👍', count: 1, mine: true }], 'reactions for the member')
    equal((await messageNow(server, room)).reactions, [{ reaction: '👍', count: 1 }], 'reactions for another member')
  }),

  requirement('20.2', 'a change without an effect is acknowledged with the last revision, and not sent', async (server) => {
    const { room, ada, bob, at } = await two(server)
    equal(await unchanged(ada, { type: 'edit', ...at, text: 'one', data: { n: 1 } }), bob.joined.revision, 'revision of the edit')
    equal(await unchanged(ada, { type: 'react', ...at, reaction: '👍', on: false }), bob.joined.revision, 'revision of the removal')
    const { revision } = await ada.change({ type: 'react', ...at, reaction: '👍', on: true })
    await bob.receive('changed')
    equal(await unchanged(ada, { type: 'react', ...at, reaction: '👍', on: true }), revision, 'revision of the reaction')
    const deletion = await ada.change({ type: 'delete', ...at })
    await bob.receive('changed')
    equal(await unchanged(ada, { type: 'delete', ...at }), deletion.revision, 'revision of the deletion')
    await ada.post(room, 'end')
    equal((await bob.receive('message')).text, 'end', 'next message at the other member')
  }),

  requirement('20.2', 'a change of no kept message is refused with not_kept', async (server) => {
    const { room, ada } = await two(server)
    const elsewhere = server.room()
    await ada.join(elsewhere)
    const { position } = await ada.post(elsewhere, 'elsewhere')
    for (const request of [
      { type: 'edit', position: 'of-another-epoch-7', text: 'x' },
      { type: 'delete', position },
      { type: 'react', position, reaction: '👍', on: true }
    ]) {
      ada.send({ ...request, room, id: 'c1' })
      const { request: type, id, room: where } = await ada.receiveError('not_kept')
      equal({ type, id, where }, { type: request.type, id: 'c1', where: room }, 'the error')
    }
  }),

  requirement('20.2', 'members edit and delete only their own messages, and need a membership', async (server) => {
    const { bob, at } = await two(server)
    const eve = await server.welcomedClient(announced)
    for (const request of [{ type: 'edit', text: 'x' }, { type: 'delete' }]) {
      bob.send({ ...request, ...at, id: 'c1' })
      equal((await bob.receiveError('forbidden')).id, 'c1', 'id of the error')
      eve.send({ ...request, ...at, id: 'c1' })
      equal((await eve.receiveError('not_joined')).id, 'c1', 'id of the error')
    }
  }),

  requirement('20.2', 'a reaction has 1 to 64 code points and no control characters', async (server) => {
    const { ada, at } = await two(server)
    for (const reaction of ['👍', '👍'.repeat(64), '👩‍🚀', ' ', '+1']) {
      equal((await ada.change({ type: 'react', ...at, reaction, on: true })).reactions?.[0]?.reaction, reaction, 'reaction')
    }
    for (const reaction of ['', 'x'.repeat(65), 'a\nb', '\u0085']) {
      ada.send({ type: 'react', ...at, id: 'c1', reaction, on: true })
      equal((await ada.receiveError('invalid')).id, 'c1', 'id of the error')
    }
  }),

  requirement('20.5', 'a fresh join has a revision, no changes, and messages with their state', async (server) => {
    const { room, ada, at } = await two(server)
    await ada.change({ type: 'edit', ...at, text: 'two' })
    const { revision } = await ada.change({ type: 'react', ...at, reaction: '👍', on: true })
    const { joined } = await server.joinedClient(room, announced)
    equal({ revision: joined.revision, changes: joined.changes }, { revision, changes: [] }, 'joined')
    const { text, reactions } = joined.messages[0]!
    equal({ text, reactions }, { text: 'two', reactions: [{ reaction: '👍', count: 1 }] }, 'message')
  }),

  requirement('20.5', 'a client that resumes receives each changed message once, whole, in the order of the last changes', async (server) => {
    const { room, ada, bob, at } = await two(server)
    const second = await ada.post(room, 'second')
    const third = await ada.post(room, 'third')
    const { revision } = await ada.change({ type: 'react', ...at, reaction: '🎉', on: true })
    ada.terminate()
    for (let i = 0; i < 3; i++) await bob.receiveOneOf('message', 'changed')
    const device = await server.joinedClient(room, { ...announced, session: ada.welcome.session })
    await device.change({ type: 'edit', ...at, text: 'edited' })
    await device.change({ type: 'delete', room, position: second.position })
    const last = await device.change({ type: 'react', ...at, reaction: '🎉', on: false })
    const missed = await device.post(room, 'missed')
    const again = await server.welcomedClient({ ...announced, session: ada.welcome.session })
    const joined = await again.join(room, { after: third.position, revision })
    equal(joined.complete, true, 'complete')
    equal(joined.messages.map(({ position }) => position), [missed.position], 'positions of the messages')
    equal(joined.revision, last.revision, 'revision')
    equal(joined.changes?.map(({ position }) => position), [second.position, at.position], 'positions of the changes')
    const [deletion, edited] = joined.changes!
    equal(deletion?.deleted, true, 'deleted')
    const { text, reactions, whole } = edited!
    equal({ text, reactions, whole }, { text: 'edited', reactions: [], whole: true }, 'the other change')
    await device.change({ type: 'react', room, position: third.position, reaction: '🚀', on: true })
    equal((await again.receive('changed')).position, third.position, 'position of the next change')
  }),

  requirement('20.5', 'more than a page of missed changes is delivered once, before live ones', async (server) => {
    const { room, ada, bob } = await two(server)
    const { payload = Infinity, byteBurst = Infinity } = ada.welcome.limits
    const text = 'x'.repeat(Math.min(12 * 1024, payload - 512, Math.floor(byteBurst / 16) - 512))
    const posted: string[] = []
    for (let i = 0; i < 8; i++) {
      posted.push((await ada.post(room, 'short')).position)
      await bob.receive('message')
    }
    const { revision } = ada.joined
    bob.terminate()
    for (const position of posted) await ada.change({ type: 'edit', room, position, text })
    const again = await server.welcomedClient({ ...announced, session: bob.welcome.session })
    const joined = await again.join(room, { after: posted.at(-1), revision })
    equal(joined.complete, true, 'complete')
    await ada.post(room, 'live')
    const received = await receiveChanges(again, joined.changes ?? [], 'live')
    equal(received.map(({ position }) => position), posted, 'positions')
    equal(received.map((change) => change.text === text), posted.map(() => true), 'texts')
    await again.receiveNothing()
  }),

  requirement('20.5', 'an unknown revision returns complete: false and no changes', async (server) => {
    const { room, bob, position } = await two(server)
    bob.terminate()
    const again = await server.welcomedClient(announced)
    const { complete, changes, revision, messages } = await again.join(room, { after: position, revision: 'of-another-epoch-c7' })
    equal({ complete, changes, messages: messages.length }, { complete: false, changes: [], messages: 1 }, 'joined')
    equal(revision, bob.joined.revision, 'revision')
  }),

  requirement('20.6', 'a page of history has a revision, and messages with their state', async (server) => {
    const { room, ada, at } = await two(server)
    const { revision, editedAt } = await ada.change({ type: 'edit', ...at, text: 'two' })
    const { position: before } = await ada.post(room, 'last')
    ada.send({ type: 'history', room, before, limit: 10 })
    const page = await ada.receive('history')
    equal(page.revision, revision, 'revision of the page')
    const { text, editedAt: edited, revision: ofMessage } = page.messages[0]!
    equal({ text, edited, ofMessage }, { text: 'two', edited: editedAt, ofMessage: revision }, 'message')
  }),

  requirement('20.7', 'a repeated edit is acknowledged as the first time, and undoes no later one', async (server) => {
    const { room, ada, at } = await two(server)
    const edit = { type: 'edit', ...at, id: newId(), text: 'two' }
    ada.send(edit)
    const { revision } = await ada.receive('changed')
    await ada.receive('ack')
    await ada.change({ type: 'edit', ...at, text: 'three' })
    ada.send({ ...edit, since: ada.joined.revision })
    equal((await ada.receive('ack')).revision, revision, 'revision of the second ack')
    equal((await messageNow(server, room)).text, 'three', 'text')
  }),

  requirement('20.7', 'an edit whose ack was lost is made once', async (server) => {
    const { room, ada, bob, at } = await two(server)
    const edit = { type: 'edit', ...at, id: newId(), text: 'two' }
    ada.send(edit)
    ada.terminate()
    const again = await server.welcomedClient({ ...announced, session: ada.welcome.session })
    await again.join(room, { after: at.position, revision: ada.joined.revision })
    again.send({ ...edit, since: ada.joined.revision })
    let acked
    while (acked === undefined) {
      const message = await again.receiveOneOf('changed', 'ack')
      if (message.type === 'ack') acked = message.revision
    }
    equal((await bob.receive('changed')).revision, acked, 'revision at the other member')
    await bob.receiveNothing()
  }),

  requirement('20.7', 'a repeated edit from an unknown revision is refused with stale_post', async (server) => {
    const { ada, at } = await two(server)
    ada.send({ type: 'edit', ...at, id: 'c1', text: 'two', since: 'of-another-epoch-c7' })
    equal((await ada.receiveError('stale_post')).id, 'c1', 'id of the error')
    await ada.receiveNothing()
  }),

  requirement('20.7', 'the id of an edit is refused for another edit, and accepted for a post', async (server) => {
    const { room, ada, at } = await two(server)
    const id = newId()
    ada.send({ type: 'edit', ...at, id, text: 'two' })
    await ada.receive('changed')
    await ada.receive('ack')
    ada.send({ type: 'edit', ...at, id, text: 'three' })
    equal((await ada.receiveError('reused_id')).id, id, 'id of the error')
    ada.send({ type: 'post', room, id, text: 'a post' })
    equal((await ada.receive('message')).text, 'a post', 'text of the post')
  }),

  requirement('20.8', 'after concurrent changes all members have the same message', async (server) => {
    const { room, ada, bob, at } = await two(server)
    const device = await server.joinedClient(room, { ...announced, session: ada.welcome.session })
    for (let i = 0; i < 5; i++) {
      ada.send({ type: 'edit', ...at, id: newId(), text: `ada ${i}` })
      device.send({ type: 'edit', ...at, id: newId(), text: `device ${i}` })
      bob.send({ type: 'react', ...at, id: newId(), reaction: String(i), on: true })
    }
    const views = [ada, device, bob].map((client) => {
      const view: View = { text: 'one', revision: client.joined.revision, reactions: new Set(), acks: 0 }
      return { client, view }
    })
    for (const { client, view } of views) await receiveUntil(client, view, ({ acks }) => acks === 5)
    const { text, reactions = [], revision: last } = await messageNow(server, room)
    for (const { client, view } of views) {
      await receiveUntil(client, view, ({ revision }) => revision === last)
      equal({ text: view.text, reactions: [...view.reactions].sort() }, { text, reactions: reactions.map(({ reaction }) => reaction).sort() }, 'what a member has')
    }
  })
]
