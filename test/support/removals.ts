import type { Test } from 'tap'
import type { Backend, Hooks, Query, Store } from '../../src/index.ts'
import { chat, type ChatApp } from './chat-app.ts'
import { gate } from './gate.ts'
import type { Message, V1Client } from './v1-client.ts'

/** What is under way on the second connection of the member when it is removed. */
const requests = ['nothing', 'join', 'post', 'history', 'edit', 'catch-up'] as const
type Request = typeof requests[number]

export interface RemovalsOptions {
  /** one for each node */
  readonly backends: readonly Backend[]
  readonly tries: number
  /** Called before each removal. */
  readonly disturb?: (attempt: number) => Promise<unknown>
}

/** received: messages of the room that the member received after a removal had resolved, or after `left`. */
export interface RemovalsTally { tries: number, received: number, stored: number, lefts: number }

/** What follows `left` only as an answer to a request. */
const answers: ReadonlySet<string> = new Set(['ack', 'error', 'pong'])

/** A gate that a request of the member waits at. */
interface Hold { readonly request: Request, readonly gate: ReturnType<typeof gate> }

/** Messages of the room that are so large that a member catches up in three pages. */
const MISSED = Array.from({ length: 20 }, (_, i) => `${i} `.padEnd(8 * 1024, 'x'))

/** Returns the backend with reads that wait at a gate. */
function gated (backend: Backend, pass: (query: Query) => Promise<void>): Backend {
  return {
    async open (app) {
      const opened = await backend.open(app)
      const store: Store = new Proxy(opened.store, {
        get (target, name) {
          const method = Reflect.get(target, name) as unknown
          if (typeof method !== 'function') return method
          if (name !== 'read') return method.bind(target) as unknown
          return async (room: string, query: Query) => {
            const page = await target.read(room, query)
            await pass(query)
            return page
          }
        }
      })
      return { ...opened, store }
    }
  }
}

/** Resolves with the messages up to the one that satisfies the predicate. */
async function upTo (client: V1Client, isLast: (message: Message) => boolean): Promise<Message[]> {
  for (const messages: Message[] = []; ;) {
    const message = await client.any()
    messages.push(message)
    if (isLast(message)) return messages
  }
}

/**
 * Removes a member with a connection to each of two nodes again and again, each time with a post in the same tick and one right after the
 * removal has resolved, while a request of the second connection is under way. The hook `authorize` answers it as before the removal.
 */
export async function removals (t: Test, { backends, tries, disturb = async () => {} }: RemovalsOptions): Promise<RemovalsTally> {
  const members = new Set(['ada', 'bob'])
  let hold: Hold | undefined
  let pages = 0
  const authorize: Hooks['authorize'] = async ({ member, action }) => {
    const isAllowed = members.has(member.id)
    if (member.id === 'ada' && action === hold?.request) await hold.gate.pass()
    return isAllowed
  }
  const pass = async ({ after }: Query) => {
    if (after !== undefined && hold?.request === 'catch-up' && ++pages === 2) await hold.gate.pass()
  }
  const nodes: ChatApp[] = []
  for (const backend of backends) {
    nodes.push(await chat(t, { backend: gated(backend, pass), authenticate: (_request, { token = '' }) => ({ id: token }), authorize, chat: { history: 0 } }))
  }
  const [first, second] = [nodes[0]!, nodes.at(-1)!]
  const witnesses = [await first.member({ token: 'bob', changes: true }, 'a'), await second.member({ token: 'bob', changes: true }, 'a')]
  const [one, two] = [await first.member({ token: 'ada', changes: true }), await second.member({ token: 'ada', changes: true })]
  const tally: RemovalsTally = { tries: 0, received: 0, stored: 0, lefts: 0 }
  let start = ''
  let position = ''

  const request: Record<Request, (attempt: number) => void> = {
    nothing: () => {},
    join: () => { two.say({ type: 'join', room: 'a' }) },
    post: (attempt) => { two.say({ type: 'post', room: 'a', text: `own ${attempt}`, id: `${attempt}` }) },
    history: () => { two.say({ type: 'history', room: 'a', before: position, limit: 10 }) },
    edit: (attempt) => { two.say({ type: 'edit', room: 'a', position, text: `own ${attempt}`, id: `${attempt}` }) },
    'catch-up': () => { two.say({ type: 'join', room: 'a', after: start }) }
  }

  const attemptOne = async (attempt: number): Promise<void> => {
    const kind = requests[attempt % requests.length]!
    const isIn = kind !== 'join' && kind !== 'catch-up'
    await one.join('a', { history: 0 })
    if (isIn) await two.join('a', { history: 0 })
    const [{ app }, other] = attempt % 2 === 0 ? [first, second.app] : [second, first.app]
    pages = 0
    const waits = gate()
    hold = { request: kind, gate: waits }
    request[kind](attempt)
    if (kind !== 'nothing') await waits.reached
    await disturb(attempt)
    members.delete('ada')
    const removed = app.chat.removeMember('a', 'ada', { reason: `no ${attempt}` })
    const posted = app.chat.publish('a', { text: 'same tick' })
    await removed
    await other.chat.publish('a', { text: `after ${attempt}` })
    hold = undefined
    // A request that goes on at once may be applied before this node has the removal, but isn't answered after it.
    const isEarly = attempt % (2 * requests.length) < requests.length
    if (isEarly) waits.open()
    await posted
    for (const witness of witnesses) {
      const seen = await upTo(witness, (message) => message.type === 'message' && message.text === `after ${attempt}`)
      if (!isEarly) tally.stored += seen.filter((message) => 'text' in message && message.text === `own ${attempt}`).length
    }
    waits.open()
    for (const [client, wasIn] of [[one, true], [two, isIn]] as const) {
      const until = `${attempt}`
      const isAnswered = client === two && kind !== 'nothing' && kind !== 'catch-up'
      const mayPass = isEarly && (kind === 'post' || kind === 'edit' || kind === 'history')
      const messages: Message[] = []
      const isComplete = () => messages.some(({ type }) => type === 'pong') &&
        (!isAnswered || messages.some(({ type }) => type === 'error' || (mayPass && (type === 'ack' || type === 'history')))) &&
        (!(wasIn || kind === 'catch-up') || messages.some(({ type }) => type === 'left'))
      client.say({ type: 'ping', id: until })
      while (!isComplete()) messages.push(await client.any())
      const left = messages.findIndex(({ type }) => type === 'left')
      if (left >= 0) {
        t.match(messages[left], { code: 'removed', message: `no ${attempt}` })
        tally.lefts++
      }
      const wrong = messages.filter((message, i) => left >= 0 && i > left ? !answers.has(message.type) : 'text' in message && message.text.startsWith('after'))
      const unexpected = !wasIn && kind === 'join' ? messages.filter(({ type }) => type === 'joined' || type === 'message') : []
      tally.received += wrong.length + unexpected.length
      if (isAnswered && !mayPass) t.match(messages.find(({ type }) => type === 'error'), { code: 'forbidden', room: 'a' })
    }
    members.add('ada')
    tally.tries++
  }

  start = (await one.join('a', { history: 0 })).position
  await one.leave('a')
  for (const text of MISSED) await first.app.chat.publish('a', { text })
  for (const witness of witnesses) await witness.upTo(MISSED.at(-1)!)
  await one.join('a', { history: 0 })
  position = await one.posted('a', 'to be edited')
  await one.leave('a')
  for (let attempt = 0; attempt < tries; attempt++) await attemptOne(attempt)
  return tally
}
