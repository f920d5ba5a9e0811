import t from 'tap'
import { Message } from '../../src/connection/message.ts'
import { MemoryStore } from '../../src/drivers/memory/store.ts'
import type { Draft, ReadPosition } from '../../src/store.ts'
import { parseMessage } from '../../src/wire/v1-decode.ts'
import { memoryInUse } from '../support/memory.ts'
import { append, begin, deletion, edit, end, fill, react, removal, says } from '../../src/contract/store/entries.ts'

const MiB = 1024 * 1024

/** Makes a post as the wire does: its text may be a slice of the frame. */
function posted (text: string, id: string, more: Partial<Draft> = {}): Draft {
  const frame = JSON.stringify({ type: 'post', room: 'lobby', id, text })
  const message = parseMessage(new Message(Buffer.from(frame), false), 16)
  return says(message.type === 'post' ? message.text : '', more)
}

/** Returns a different sender each time. */
function someone (i: number, name = 'ada'): Draft['from'] {
  return { id: Buffer.from(`id-${i}`.padEnd(22, '.')).toString(), name: Buffer.from(name).toString() }
}

const room = (i: number) => `room ${i % 40}`
const other = (i: number) => `room ${i}`
const mark = (room: string, i: number): ReadPosition => {
  const at = 1_764_000_000_000 + i
  return { room, at, offset: i + 1, position: `AbCdEfGh-${at}-${i + 1}` }
}
const follow = (store: MemoryStore, name: string) => store.follow(name, () => {})
const text = 'The quick brown fox jumps over the lazy dog. '

/** Data that clients make a store keep. Each function is called with 0, 1, 2 … until enough bytes are charged. */
const shapes: Record<string, (store: MemoryStore, i: number) => Promise<unknown>> = {
  'text of one byte per character': (store, i) => store.append(room(i), posted(`${i} ${text}`, `${i}`)),
  'text of one byte per character in a frame of two': (store, i) => store.append(room(i), posted(`${i} ${text}`, 'ā'.repeat(60))),
  'text of two bytes per character': (store, i) => store.append(room(i), posted(`${i} ${text}ā`, `${i}`)),
  'long text with one wide character': (store, i) => store.append(room(i), posted(`${i} ${text.repeat(300)}ā`, `${i}`)),
  'long text': (store, i) => store.append(room(i), posted(`${i} ${text.repeat(300)}`, `${i}`)),
  'a slice of a long text': (store, i) => store.append(room(i), says(`${i} ${text.repeat(1_000)}`.slice(0, 20))),
  'empty text': (store, i) => store.append(room(i), says('')),
  'a concatenated text': (store, i) => store.append(room(i), says(`${i} ${text}${i} ${text}`)),
  data: (store, i) => store.append(room(i), says('', { data: JSON.stringify({ i, text }) })),
  'data of two bytes per character': (store, i) => store.append(room(i), says('', { data: JSON.stringify({ i, text, wide: 'ā' }) })),
  'data of many objects': (store, i) => store.append(room(i), says('', { data: JSON.stringify(Array.from({ length: 5_000 }, () => ({ i }))) })),
  'a different sender for each entry': (store, i) => store.append(room(i), says('', { from: someone(i) })),
  'different senders with long names': (store, i) => store.append(room(i), says('', { from: someone(i, 'ā'.repeat(32)) })),
  keys: (store, i) => store.append('one', says('', { key: `22 member-${'x'.repeat(20)} ${i}`, hash: String(-2_000_000_000 - i) })),
  'keys of two bytes per character': (store, i) => store.append('one', says('', { key: `22 member-${'x'.repeat(20)} ${i}ā`, hash: `${i}` })),
  'keys in many rooms': (store, i) => store.append(other(i), says('', { key: `22 member-${'x'.repeat(20)} ${i}`, hash: `${i}` })),
  'few bytes': (store, i) => store.append(room(i), says(new Uint8Array(Buffer.from(`${i}`)))),
  'many bytes': (store, i) => store.append(room(i), says(new Uint8Array(Buffer.alloc(16_000, i)))),
  'a slice of a buffer': (store, i) => store.append(room(i), says(Buffer.alloc(5_000, i).subarray(0, 10))),
  'one message in each room': (store, i) => store.append(other(i), posted(`${i} ${text}`, `${i}`)),
  'empty rooms': (store, i) => store.read(other(i), { limit: 1, maxBytes: 1 }),
  'rooms with a long name': (store, i) => store.read(`${i}ā`.padEnd(64, 'x'), { limit: 1, maxBytes: 1 }),
  'followed rooms': (store, i) => follow(store, other(i)),
  'followed rooms with a message each': async (store, i) => {
    await follow(store, other(i))
    await store.append(other(i), posted(`${i} ${text}`, `${i}`))
  },
  'followers of one room': (store) => follow(store, 'one'),
  'formerly followed rooms': async (store, i) => (await follow(store, other(i))).stop(),
  'rooms with a message and a key each': (store, i) => store.append(other(i), says('', { key: `22 member-${'x'.repeat(20)} ${i}`, hash: `${i}` })),
  'rooms of many messages of which one is left': async (store, i) => {
    for (let j = 0; j < 25; j++) await store.append(other(i), says(''))
  },
  'rooms of many messages with keys of which one is left': async (store, i) => {
    for (let j = 0; j < 50; j++) await store.append(other(i), says('', { key: `22 member-${'x'.repeat(20)} ${i} ${j}`, hash: `${i}` }))
  },
  'cleared rooms': async (store, i) => {
    await store.append(other(i), posted(`${i} ${text}`, `${i}`))
    await store.clear(other(i))
  },
  'deleted messages': async (store, i) => {
    const { position } = await store.append(room(i), says(`${i} ${text}`, { from: someone(i), data: `"${text}"` }))
    await store.amend(room(i), position, deletion)
  },
  'edited messages': async (store, i) => {
    const { position } = await store.append(room(i), says(`${i}`))
    const change = posted(`${i} ${text}`, `${i}`).body as string
    await store.amend(room(i), position, edit(change, { key: `22 member-${'x'.repeat(20)} ${i}`, hash: String(-2_000_000_000 - i) }, `"${text}"`))
  },
  'edits of one message': async (store, i) => {
    const change = edit(`${i}`, { key: `22 member-${'x'.repeat(20)} ${i}`, hash: `${i}` })
    await store.amend('one', await only(store, 'one'), change)
  },
  'edits without an effect': async (store, i) => {
    const name = other(Math.floor(i / 1_000))
    await store.amend(name, await only(store, name), edit('x', { key: `22 member-${'x'.repeat(20)} ${i}`, hash: `${i}` }))
  },
  'a reaction to each message': async (store, i) => {
    const { position } = await store.append(room(i), says(`${i}`))
    await store.amend(room(i), position, react('👍', someone(i)!.id))
  },
  'reactions of many members to each message': async (store, i) => {
    const { position } = await store.append(room(i), says(`${i}`))
    for (let j = 0; j < 50; j++) await store.amend(room(i), position, react('👍', someone(1_000 * i + j)!.id))
  },
  'reactions of two members to each message': async (store, i) => {
    const { position } = await store.append(room(i), says(`${i}`))
    for (let j = 0; j < 10; j++) await store.amend(room(i), position, react(`${j % 5}`, someone(1_000 * i + j)!.id))
  },
  'reactions that all but one member removed': async (store, i) => {
    const { position } = await store.append(room(i), says(`${i}`))
    for (let j = 0; j < 10; j++) await store.amend(room(i), position, react('👍', someone(1_000 * i + j)!.id))
    for (let j = 0; j < 9; j++) await store.amend(room(i), position, react('👍', someone(1_000 * i + j)!.id, false))
  },
  'five reactions to each message': async (store, i) => {
    const { position } = await store.append(room(i), says(`${i}`))
    for (let j = 0; j < 5; j++) await store.amend(room(i), position, react(`${j}`, someone(1_000 * i + j)!.id))
  },
  'nine reactions to each message': async (store, i) => {
    const { position } = await store.append(room(i), says(`${i}`))
    for (let j = 0; j < 9; j++) await store.amend(room(i), position, react(`${j}`, someone(1_000 * i + j)!.id))
  },
  'many reactions to each message': async (store, i) => {
    const { position } = await store.append(room(i), says(`${i}`))
    for (let j = 0; j < 20; j++) await store.amend(room(i), position, react(`${'ā'.repeat(60)} ${j}`, someone(i)!.id))
  },
  'streams without text': (store, i) => begin(store, room(i)),
  'streamed text of many pieces': async (store, i) => {
    const position = await begin(store, room(i), `${i}`)
    let at = `${i}`.length
    for (let j = 0; j < 30; j++) {
      await store.amend(room(i), position, append(posted(text, `${j}`).body as string, at))
      at += text.length
    }
  },
  'long streamed text': async (store, i) => {
    const position = await begin(store, room(i), posted(text.repeat(300), `${i}`).body as string)
    await store.amend(room(i), position, append(posted(text, `${i}`).body as string, 300 * text.length))
  },
  'streamed text with a wide piece at its end': async (store, i) => {
    const position = await begin(store, room(i), posted(text.repeat(30), `${i}`).body as string)
    await store.amend(room(i), position, append('ā', 30 * text.length))
  },
  'streams that have ended': async (store, i) => {
    const position = await begin(store, room(i), `${i}`)
    await store.amend(room(i), position, append('x', `${i}`.length))
    await store.amend(room(i), position, end)
  },
  'one stream in each room': (store, i) => begin(store, other(i), `${i}`),
  'one stream that has ended in each room': async (store, i) => {
    await store.amend(other(i), await begin(store, other(i), `${i}`), end)
  },
  'rooms of many streams of which one is left': async (store, i) => {
    for (let j = 0; j < 15; j++) await begin(store, other(i))
  },
  'renewals of one stream': async (store, i) => {
    await store.amend('one', await only(store, 'one', true), append('', 0))
    await begin(store, 'two', `${i}`)
  },
  'one change in each room': async (store, i) => {
    const { position } = await store.append(other(i), says(`${i}`))
    await store.amend(other(i), position, react('👍', someone(i)!.id))
  },
  'a read position for each member': (store, i) => store.markRead(someone(i)!.id, [mark('lobby', i)]),
  'read positions of members in 20 rooms': (store, i) => {
    return store.markRead(someone(i)!.id, Array.from({ length: 20 }, (_, j) => mark(`a room with a longer name ${j}`, i)))
  },
  'read positions that members move one after another': async (store, i) => {
    for (let j = 0; j < 40; j++) await store.markRead(someone(i)!.id, [mark(other(j % 20), 20 * i + j)])
  },
  'read positions of members in 1,000 rooms': (store, i) => {
    return store.markRead(someone(i)!.id, Array.from({ length: 1_000 }, (_, j) => mark(other(j), i)))
  },
  'read positions with names of two bytes per character': (store, i) => store.markRead(`member ${i}ā`.padEnd(128, 'x'), [mark(`${i}ā`.padEnd(64, 'x'), i)]),
  'read positions that are slices': (store, i) => {
    const frame = JSON.stringify({ padding: 'x'.repeat(2_000), id: someone(i)!.id, room: `a room of many ${i}` })
    return store.markRead(frame.slice(2_000, 2_045), [mark(frame.slice(-30), i)])
  },
  'read positions that were all forgotten but one': async (store, i) => {
    const { id } = someone(i)!
    await store.markRead(id, Array.from({ length: 15 }, (_, j) => mark(other(j), i)))
    for (let j = 1; j < 15; j++) await store.forgetRead(id, other(j))
  },
  controls: (store, i) => store.control(room(i), removal(someone(i)!.id, posted(text, `${i}`).body as string)),
  'one control in each room': (store, i) => store.control(other(i), removal(someone(i)!.id))
}

/** Resolves with the position of the only message of a room. */
async function only (store: MemoryStore, name: string, streaming = false): Promise<string> {
  const [entry] = (await store.read(name, { limit: 1, maxBytes: 1 })).entries
  return entry?.position ?? (streaming ? begin(store, name) : (await fill(store, name, 1))[0]!)
}

for (const [title, add] of Object.entries(shapes)) {
  t.test(`the memory store charges what it uses: ${title}`, async (t) => {
    const charge = 4 * MiB
    const warm = new MemoryStore()
    for (let i = 0; i < 2_000 && warm.bytes < MiB; i++) await add(warm, i)
    await warm.close()
    const store = new MemoryStore({ historyEntries: title.includes('one is left') ? 1 : 1_000_000, historyBytes: Infinity, rooms: Infinity })
    t.teardown(() => store.close())
    const before = await memoryInUse()
    for (let i = 0; store.bytes < charge; i++) await add(store, i)
    const grown = await memoryInUse() - before
    t.ok(grown <= 1.15 * store.bytes, `${grown} bytes used for ${store.bytes} charged`)
  })
}
