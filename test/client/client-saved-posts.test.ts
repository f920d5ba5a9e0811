import { EventEmitter, once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ChatClient, ChatError, type ChatClientOptions, type RestoredPost, type SavedPost } from '../../src/client/node.ts'
import { savedPosts, type PostStore } from '../../src/client/saved-posts/index.ts'
import { chat } from '../support/chat-app.ts'
import { chatClient, next, state } from '../support/chat-client.ts'
import { fakeServer, joined, welcome, type Answer } from '../support/fake-server.ts'
import { proxy } from '../support/proxy.ts'

/** Emits `change` whenever a condition that a test waits for may have changed. */
const changes = new EventEmitter()
const changed = () => { changes.emit('change') }

/** Resolves once the condition is true. */
async function until (condition: () => boolean): Promise<void> {
  while (!condition()) await once(changes, 'change')
}

/** Posts in a JSON file. */
class FilePosts implements PostStore {
  readonly #path: string

  constructor (path: string) {
    this.#path = path
    if (!existsSync(path)) this.#write([])
  }

  list (): SavedPost[] { return JSON.parse(readFileSync(this.#path, 'utf8')) as SavedPost[] }

  add (post: SavedPost): void {
    const posts = this.list()
    const at = posts.findIndex(({ id }) => id === post.id)
    posts.splice(at < 0 ? posts.length : at, 1, post)
    this.#write(posts)
  }

  remove (id: string): void { this.#write(this.list().filter((post) => post.id !== id)) }

  #write (posts: SavedPost[]): void {
    writeFileSync(this.#path, JSON.stringify(posts))
    changed()
  }
}

class MemoryPosts implements PostStore {
  readonly posts = new Map<string, SavedPost>()
  async add (post: SavedPost) { this.posts.set(post.id, post) }
  async remove (id: string) {
    this.posts.delete(id)
    changed()
  }

  async list () { return [...this.posts.values()] }
}

const saved = (id: string, rest: Partial<SavedPost> = {}): SavedPost =>
  ({ type: 'post', room: 'lobby', text: `text ${id}`, id, member: 'me', at: new Date().toISOString(), ...rest })

/** A server that answers no post until `answers` is true. */
async function silentServer (t: Test, member = { id: 'me', name: '' }) {
  const self = { answers: false, member }
  const answer: Answer = ({ type }) => {
    changed()
    if (type === 'hello') return [{ ...welcome, member: self.member }]
    return type === 'post' && !self.answers ? [] : undefined
  }
  const { port, requests, server } = await fakeServer(t, answer)
  return { port, server, self, posts: () => requests.filter(({ type }) => type === 'post') }
}

function restored (client: ChatClient): RestoredPost[] {
  const events: RestoredPost[] = []
  client.on('restored', (event) => events.push(event))
  return events
}

const open = (t: Test, port: number, store: PostStore, options: ChatClientOptions = {}) => chatClient(t, port, { savedPosts: savedPosts(store), ...options })

t.test('posts of a process that has ended are sent by the next one, in order and once', async (t) => {
  const stored: Array<string | undefined> = []
  const { port, app } = await chat(t, {
    onPost ({ text }) {
      stored.push(text)
      changed()
    }
  })
  const network = await proxy(t, port)
  const path = join(t.testdir(), 'posts.json')
  const first = open(t, network.port, new FilePosts(path))
  const { session } = await state(first, 'online')
  const room = await first.join('lobby')
  await room.post('stored')
  t.same(new FilePosts(path).list(), [], 'an acknowledged post is not saved')

  network.silence()
  const inFlight = room.post('in flight', { number: 1 })
  await until(() => stored.includes('in flight'))
  network.target = undefined
  const away = next(first, 'waiting')
  network.cut()
  await away
  const offline = room.post('offline')
  await until(() => new FilePosts(path).list().length === 2)
  first.close()
  await t.rejects(inFlight, { code: 'closed' })
  await t.rejects(offline, { code: 'closed' })

  network.target = port
  const second = open(t, network.port, new FilePosts(path), { session })
  const events = restored(second)
  const again = await second.join('lobby')
  const third = again.post('later')
  await third
  const outcomes = await Promise.all(events.map(({ post }) => post))
  t.equal(outcomes.length, 2)
  t.same(events.map(({ text, data }) => [text, data]), [['in flight', { number: 1 }], ['offline', undefined]])
  t.same(events.map(({ post: { id } }) => id), events.map(({ id }) => id))
  const { entries } = await app.chat.history('lobby')
  t.same(entries.map(({ text }) => text), ['stored', 'in flight', 'offline', 'later'])
  await until(() => new FilePosts(path).list().length === 0)
})

t.test('a post has its id, data, time, member and since, and is sent again under the same id', async (t) => {
  const { port, posts, self } = await silentServer(t)
  const store = new MemoryPosts()
  const first = open(t, port, store)
  const room = await first.join('lobby')
  room.post('hello', { b: 1, a: [null] }).catch(() => {})
  await until(() => posts().length === 1)
  const [post] = await store.list()
  t.match(post, { type: 'post', room: 'lobby', text: 'hello', data: { b: 1, a: [null] }, member: 'me', since: 'p0', at: /^\d{4}-.*Z$/ })
  t.equal(posts()[0]!['since'], undefined, 'the first attempt has no since')
  t.equal(posts()[0]!['id'], post!.id)
  first.close()
  t.equal(store.posts.size, 1, 'closing the client keeps it')

  self.answers = true
  const second = open(t, port, store)
  const events = restored(second)
  await second.join('lobby')
  await until(() => store.posts.size === 0)
  t.same(posts()[1], { ...posts()[0], since: 'p0' })
  t.equal(await events[0]!.post, `p-${post!.id}`)
  t.equal(events[0]!.at, post!.at)
})

t.test('a post that was never sent is sent without since, after it was saved with since', async (t) => {
  const { port, posts, self } = await silentServer(t)
  self.answers = true
  const order: string[] = []
  const store = new MemoryPosts()
  store.posts.set('a', saved('a'))
  store.posts.set('b', saved('b', { since: 'p-early' }))
  const add = store.add.bind(store)
  let save!: () => void
  const held = new Promise<void>((resolve) => { save = resolve })
  store.add = async (post) => {
    order.push(`${post.id} ${String(post.since)}`)
    changed()
    await held
    await add(post)
  }
  const client = open(t, port, store)
  const room = await client.join('lobby')
  const later = room.post('later')
  await until(() => order.length >= 2)
  t.same(posts(), [], 'nothing is sent before')
  save()
  await later
  t.same(posts().map(({ id, since }) => [id, since]).slice(0, 2), [['a', undefined], ['b', 'p-early']])
  t.equal(posts()[2]!['text'], 'later')
  t.ok(order.includes('a p0'))
})

t.test("a room's posts wait for its join, and those of other members stay saved", async (t) => {
  const { port, posts, self } = await silentServer(t)
  self.answers = true
  const store = new MemoryPosts()
  for (const post of [saved('a'), saved('b', { member: 'other' }), saved('c', { room: 'den' })]) store.posts.set(post.id, post)
  const client = open(t, port, store)
  const events = restored(client)
  await state(client, 'online')
  await client.join('lobby')
  await until(() => posts().length === 1)
  t.same(posts().map(({ id }) => id), ['a'])
  await client.join('den')
  await until(() => posts().length === 2)
  t.same(posts().map(({ id }) => id), ['a', 'c'])
  await until(() => store.posts.size === 1)
  t.same([...store.posts.keys()], ['b'])
  t.same(events.map(({ id }) => id), ['a', 'c'])
})

t.test('a saved post that was not sent is rejected when the client becomes another member', async (t) => {
  const { port, posts, self, server } = await silentServer(t)
  const store = new MemoryPosts()
  const client = open(t, port, store)
  const room = await client.join('lobby')
  self.member = { id: 'another', name: '' }
  const away = next(client, 'waiting')
  for (const socket of server.clients) socket.terminate()
  await away
  const post = room.post('mine')
  await t.rejects(post, { code: 'stale_post' })
  await state(client, 'online')
  self.answers = true
  await room.post('of another')
  t.same(posts().map(({ text }) => text), ['of another'])
  await until(() => store.posts.size === 0)
})

t.test('a refused post is reported, and no longer saved', async (t) => {
  const refuse: Answer = ({ type, id, room }) => type === 'post' ? [{ type: 'error', id, room, code: 'refused', message: 'no' }] : undefined
  const { port } = await fakeServer(t, refuse)
  const store = new MemoryPosts()
  store.posts.set('a', saved('a'))
  const client = open(t, port, store)
  const events = restored(client)
  await client.join('lobby')
  await until(() => store.posts.size === 0)
  t.match(events, [{ id: 'a', text: 'text a' }])
  await t.rejects(events[0]!.post, { code: 'refused' })
})

t.test('a post is not restored while its removal is under way', async (t) => {
  const { port, posts, self, server } = await silentServer(t)
  self.answers = true
  const store = new MemoryPosts()
  let remove!: () => void
  const held = new Promise<void>((resolve) => { remove = resolve })
  store.remove = async (id) => {
    await held
    store.posts.delete(id)
    changed()
  }
  const client = open(t, port, store)
  const events = restored(client)
  const room = await client.join('lobby')
  await room.post('once')
  const back = next(client, 'waiting').then(() => next(client, 'online'))
  for (const socket of server.clients) socket.terminate()
  await back
  await room.post('twice')
  t.same(events, [])
  t.same(posts().map(({ text }) => text), ['once', 'twice'])
  remove()
  await until(() => store.posts.size === 0)
})

t.test('a store that throws, rejects or never answers is reported once, and posts are sent', async (t) => {
  const { port, self } = await silentServer(t)
  self.answers = true
  const never = () => new Promise<never>(() => {})
  const fails = (): never => { throw new Error('disk full') }
  const stores: Record<string, PostStore> = {
    throws: { add: fails, remove: fails, list: fails },
    rejects: { add: async () => fails(), remove: async () => fails(), list: async () => fails() },
    'never answers': { add: never, remove: never, list: never }
  }
  for (const [name, store] of Object.entries(stores)) {
    const client = open(t, port, store)
    const errors: ChatError[] = []
    client.on('error', (error) => errors.push(error))
    const room = await client.join('lobby')
    await room.post('one')
    await room.post('two')
    t.match(errors, name === 'never answers' ? [] : [{ code: 'not_saved', message: /disk full/ }], name)
    t.equal(errors.length, name === 'never answers' ? 0 : 1)
  }
})

t.test('a store that answers none of 1,000 calls is called no more, and reported', async (t) => {
  const { port, self } = await silentServer(t)
  self.answers = true
  let calls = 0
  const never = () => new Promise<never>(() => { calls++ })
  const client = open(t, port, { add: never, remove: never, list: never })
  const errors: ChatError[] = []
  client.on('error', (error) => errors.push(error))
  const room = await client.join('lobby')
  for (let i = 0; i < 600; i++) await room.post('text')
  t.match(errors, [{ code: 'not_saved', message: /does not answer/ }])
  t.equal(errors.length, 1)
  const before = calls
  await room.post('text')
  t.equal(calls, before)
})

t.test('a store that announces a room is asked for its posts, and is stopped with the client', async (t) => {
  const { port, posts, self } = await silentServer(t)
  self.answers = true
  const store = new MemoryPosts()
  const lists: unknown[] = []
  let announce!: (room: string) => void
  let stopped = 0
  const shared: PostStore = {
    add: (post) => store.add(post),
    remove: (id) => store.remove(id),
    list (of) {
      lists.push(of)
      changed()
      return store.list()
    },
    watch (listener) {
      announce = listener
      return () => { stopped++ }
    }
  }
  const client = open(t, port, shared)
  await client.join('lobby')
  await until(() => lists.length === 1)
  store.posts.set('a', saved('a'))
  store.posts.set('c', saved('c', { room: 'den' }))
  announce('den')
  announce('lobby')
  await until(() => posts().length === 1)
  t.same(lists, [{ room: 'lobby', member: 'me' }, { room: 'lobby', member: 'me' }], 'not asked for a room that is not joined')
  client.close()
  t.equal(stopped, 1)
})

t.test('changes are not saved', async (t) => {
  const { port } = await fakeServer(t, ({ type }) => type === 'hello' ? [{ ...welcome, features: ['changes'] }] : type === 'join' ? [joined('lobby')] : undefined)
  const store = new MemoryPosts()
  const calls: string[] = []
  store.add = async () => { calls.push('add') }
  store.remove = async () => { calls.push('remove') }
  const client = open(t, port, store)
  const room = await client.join('lobby')
  await room.edit('p1', 'text')
  t.same(calls, [])
})

t.test('an invalid saved post is removed and reported, and does not block the others', async (t) => {
  const { port, posts, self } = await silentServer(t)
  self.answers = true
  const store = new MemoryPosts()
  for (const post of [saved('one'), saved('two', { text: 5 as unknown as string }), saved('three')]) await store.add(post)
  const client = open(t, port, store)
  const errors: string[] = []
  client.on('error', ({ code, message }) => errors.push(`${code}: ${message}`))
  const events = restored(client)
  await client.join('lobby')
  await until(() => store.posts.size === 0)
  t.strictSame(posts().map(({ id }) => id), ['one', 'three'])
  t.strictSame(events.map(({ id }) => id), ['one', 'three'])
  t.match(errors, [/^not_saved: the saved post two is invalid/])
  t.equal(errors.length, 1)
})
