import { clientFrame } from '../support/frames.ts'
import { Attacker, type Target } from './attacker.ts'

/** Waits until the target ends the attack. */
export type Attack = (target: Target) => Promise<void>

const PAYLOAD = 15_900

/** Just below the default payload limit: thousands of objects in as little JSON as possible. */
const objects = Array.from({ length: PAYLOAD / 3 - 50 }, () => ({}))

const many = (target: Target, count: number, step: (attacker: Attacker, index: number, number: number) => void) =>
  Promise.all(Array.from({ length: count }, (_, number) =>
    new Attacker(target).run((attacker, index) => step(attacker, index, number)))).then(() => {})

/** Each step posts into a new room. */
const newRooms = (post: object): Attack => (target) => many(target, 20, (attacker, index, number) => {
  const room = `new.${number}.${index}`
  attacker.say({ type: 'join', room, history: 0 })
  attacker.say({ type: 'post', room, id: `${index}`, text: '', ...post })
  attacker.say({ type: 'leave', room })
})

/** Each attacker posts into one room repeatedly; by default all of them into the same room. */
const oldRooms = (post: object, name = (_number: number) => 'attacked'): Attack => (target) => many(target, 20, (attacker, index, number) => {
  const room = name(number)
  if (index % 50 === 0) attacker.say({ type: 'join', room, history: 0 })
  attacker.say({ type: 'post', room, id: `${index}`.padEnd(64, '-'), text: '', ...post })
})

const own = (number: number) => `attacked.${number}`

/** Attacks by clients that obey the protocol and try to exhaust the server. */
export const attacks: Readonly<Record<string, Attack>> = {
  'data of thousands of objects, in a room each': oldRooms({ data: objects }, own),
  'data of thousands of objects, in new rooms': newRooms({ data: objects }),
  'large texts in new rooms': newRooms({ text: 'x'.repeat(PAYLOAD) }),
  'texts that take two bytes a character': newRooms({ text: `\u0416${'x'.repeat(PAYLOAD)}` }),
  'empty texts under long ids': oldRooms({}, own),
  'rooms without a message': (target) => many(target, 500, (attacker, index, number) => {
    attacker.say({ type: 'join', room: `held.${number}.${index}`, history: 0 })
  }),
  'members of a busy room that stop reading': async (target) => {
    await Promise.all([
      oldRooms({ text: 'x'.repeat(PAYLOAD) })(target),
      many(target, 200, (attacker) => {
        attacker.say({ type: 'join', room: 'attacked', history: 1_000 })
        attacker.socket?.pause()
      })
    ])
  },
  'pages of history that nobody reads': (target) => many(target, 100, (attacker) => {
    attacker.say({ type: 'leave', room: 'attacked' })
    attacker.say({ type: 'join', room: 'attacked', history: 1_000 })
    attacker.say({ type: 'post', room: 'attacked', id: 'x', text: 'x'.repeat(PAYLOAD) })
    attacker.socket?.pause()
  }),
  'messages that are never finished': async (target) => {
    const part = clientFrame(2, Buffer.alloc(60 * 1024), { fin: false })
    await Promise.all(Array.from({ length: 1_000 }, () =>
      new Attacker(target, '/echo', []).run((attacker, index) => { if (index % 300 === 0) attacker.write(part) })))
  },
  'a thousand requests at once': (target) => many(target, 200, (attacker) => {
    const frame = clientFrame(1, JSON.stringify({ type: 'ping', id: 'x'.repeat(64) }))
    attacker.write(Buffer.concat(Array<Buffer>(1_000).fill(frame)))
  }),
  'names that come and go': (target) => many(target, 100, (attacker, index) => {
    if (index % 3 === 0) attacker.say({ type: 'join', room: 'attacked', history: 0 })
    else if (index % 3 === 1) attacker.say({ type: 'typing', room: 'attacked' })
    else attacker.socket?.terminate()
  })
}
