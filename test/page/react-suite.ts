import type { Page } from 'playwright-core'
import t from 'tap'
import type { FastifyChatOptions } from '../../src/index.ts'
import type { RoomActions } from '../../src/react/index.ts'
import { chatClient, nextEvent } from '../support/chat-client.ts'
import { skip } from '../support/chromium.ts'
import { gate } from '../support/gate.ts'
import { reactApp, serverSide, type PageWindow } from './react-app.ts'
import type { Tree } from './react-tree.ts'

const options = { name: 'ada', minDelay: 1, maxDelay: 20 }

/** Returns a tree of components with ids a, b, c … that show rooms with one client. */
const treeOf = (provider: Omit<Tree['providers'][number], 'rooms'>, ...names: string[]): Tree => ({
  providers: [{ ...provider, rooms: names.map((name, at) => ({ id: String.fromCharCode(97 + at), name })) }]
})

const createClient = (page: Page, name: string) => page.evaluate((name) => (globalThis as unknown as PageWindow).page.createClient(name), name)

/** Calls an action that component `a` was given. Resolves with its result, or with the code of its rejection. */
async function act<Name extends keyof RoomActions> (page: Page, name: Name, ...args: Parameters<RoomActions[Name]>): Promise<unknown> {
  return await page.evaluate(async ([name, args]) => {
    const { [name]: action } = (globalThis as unknown as PageWindow).page.result('a')
    try {
      return await (action as (...args: unknown[]) => unknown)(...args)
    } catch (error) {
      return (error as { code: string }).code
    }
  }, [name, args] as const)
}

/** Tests the hooks with the version of React of a `node_modules` folder. */
export function testReact (modules: string): void {
  t.setTimeout(600_000)

  t.test('StrictMode opens one connection and joins once, and the unmount ends both', { skip }, async (t) => {
    const { app, sockets, presence, complaints, render, unmount, shows, recorded } = await reactApp(t, modules)
    const tree = treeOf({ url: '/chat', options, showsClient: true }, 'tea')
    await render({ ...tree, strict: true })
    await shows('a', 'online tea 1 ok: ')
    await shows('client', 'a client')
    await app.chat.publish('tea', { text: 'hello' })
    await shows('a', 'online tea 1 ok: hello')
    t.equal(sockets.length, 1)
    t.strictSame(presence, ['ada joins tea'])
    await unmount()
    await recorded('ada leaves tea')
    if (!sockets[0]!.isClosed()) await sockets[0]!.waitForEvent('close')
    t.equal(sockets.length, 1)
    t.strictSame(complaints, [])
  })

  t.test('components with one client share the room until the last one is unmounted', { skip }, async (t) => {
    const { app, page, presence, complaints, render, unmount, shows, recorded } = await reactApp(t, modules)
    await createClient(page, 'ada')
    const { providers: [provider] } = treeOf({ client: 'ada' }, 'tea', 'tea')
    await render({ providers: [provider!, { client: 'ada', rooms: [{ id: 'c', name: 'tea' }] }] })
    for (const id of ['a', 'b', 'c']) await shows(id, 'online tea 1 ok: ')
    t.equal(await page.evaluate(() => {
      const { page: { result } } = globalThis as unknown as PageWindow
      return result('a').room === result('b').room && result('a').items === result('c').items
    }), true)
    await render({ providers: [{ client: 'ada', rooms: [] }, { client: 'ada', rooms: [{ id: 'c', name: 'tea' }] }] })
    await app.chat.publish('tea', { text: 'hello' })
    await shows('c', 'online tea 1 ok: hello')
    t.strictSame(presence, ['ada joins tea'])
    await unmount()
    await recorded('ada leaves tea')
    t.strictSame(complaints, [])
  })

  t.test('a component that is replaced at once stays in the room', { skip }, async (t) => {
    const { app, page, presence, complaints, render, shows } = await reactApp(t, modules)
    await createClient(page, 'ada')
    const tree = (key: string): Tree => ({ providers: [{ client: 'ada', rooms: [{ id: 'a', name: 'tea', key }] }] })
    await render(tree('1'))
    await shows('a', 'online tea 1 ok: ')
    await render(tree('2'))
    await app.chat.publish('tea', { text: 'hello' })
    await shows('a', 'online tea 1 ok: hello')
    t.strictSame(presence, ['ada joins tea'])
    t.strictSame(complaints, [])
  })

  t.test('a component that is unmounted during the join leaves the room', { skip }, async (t) => {
    const gates: Record<string, ReturnType<typeof gate>> = { tea: gate(), coffee: gate() }
    const authorize: FastifyChatOptions['authorize'] = async ({ room }) => {
      await gates[room]!.pass()
      return true
    }
    const { app, page, presence, complaints, render, unmount, shows, recorded } = await reactApp(t, modules, { authorize })
    await createClient(page, 'ada')
    await render(treeOf({ client: 'ada' }, 'tea'))
    await gates['tea']!.reached
    await unmount()
    await page.evaluate(() => (globalThis as unknown as PageWindow).page.turn())
    gates['tea']!.open()
    await recorded('ada leaves tea')

    // Mounted again before the answer, it joins.
    await render(treeOf({ client: 'ada' }, 'coffee'))
    await gates['coffee']!.reached
    await unmount()
    await page.evaluate(() => (globalThis as unknown as PageWindow).page.turn())
    await render(treeOf({ client: 'ada' }, 'coffee'))
    gates['coffee']!.open()
    await shows('a', 'online coffee 1 ok: ')
    await app.chat.publish('coffee', { text: 'hello' })
    await shows('a', 'online coffee 1 ok: hello')
    t.strictSame(presence.slice(0, 2), ['ada joins tea', 'ada leaves tea'])
    t.strictSame(complaints, [])
  })

  t.test('another name shows another room and leaves the first one', { skip }, async (t) => {
    const { app, page, presence, complaints, render, shows, recorded } = await reactApp(t, modules)
    await app.chat.publish('tea', { text: 'in tea' })
    await app.chat.publish('coffee', { text: 'in coffee' })
    await createClient(page, 'ada')
    await render(treeOf({ client: 'ada' }, 'tea'))
    await shows('a', 'online tea 1 ok: in tea')
    await render(treeOf({ client: 'ada' }, 'coffee'))
    await shows('a', 'online coffee 1 ok: in coffee')
    await recorded('ada leaves tea')
    t.strictSame([...presence].sort(), ['ada joins coffee', 'ada joins tea', 'ada leaves tea'])
    t.strictSame(complaints, [])
  })

  t.test('another client joins the room, and the first one leaves it and stays open', { skip }, async (t) => {
    const { app, page, presence, sockets, complaints, render, shows, recorded } = await reactApp(t, modules)
    for (const name of ['ada', 'bob']) await createClient(page, name)
    await render(treeOf({ client: 'ada' }, 'tea'))
    await shows('a', 'online tea 1 ok: ')
    await render(treeOf({ client: 'bob' }, 'tea'))
    await recorded('ada leaves tea')
    await recorded('bob joins tea')
    await app.chat.publish('tea', { text: 'hello' })
    await shows('a', /^online tea \d ok: hello$/)
    t.equal(presence.length, 3)
    t.strictSame(sockets.map((socket) => socket.isClosed()), [false, false])
    t.strictSame(complaints, [])
  })

  t.test('another URL replaces the client of the provider', { skip }, async (t) => {
    const { page, sockets, complaints, render, shows, recorded } = await reactApp(t, modules)
    await render(treeOf({ url: '/chat', options }, 'tea'))
    await shows('a', 'online tea 1 ok: ')
    await render(treeOf({ url: '/chat', options: { ...options, name: 'eve' } }, 'tea'))
    await render(treeOf({ url: '/chat?second', options: { ...options, name: 'bob' } }, 'tea'))
    await recorded('bob joins tea')
    await recorded('ada leaves tea')
    await shows('a', /^online tea \d ok: $/)
    if (!sockets[0]!.isClosed()) await sockets[0]!.waitForEvent('close')
    t.strictSame(sockets.map((socket) => socket.isClosed()), [true, false], 'other options alone change nothing')
    t.strictSame(await page.evaluate(() => (globalThis as unknown as PageWindow).page.states()), ['connecting', 'online'])
    t.strictSame(complaints, [])
  })

  t.test('error reports a refused join or a removal, and a new component joins again', { skip }, async (t) => {
    let allowed = false
    const { app, page, complaints, render, shows } = await reactApp(t, modules, { authorize: () => allowed })
    await createClient(page, 'ada')
    const tree = (key: string, name = 'tea'): Tree => ({ providers: [{ client: 'ada', rooms: [{ id: 'a', name, key }] }] })
    await render(tree('1'))
    await shows('a', 'online none 0 forbidden: ')
    allowed = true
    await render(tree('2'))
    await shows('a', 'online tea 1 ok: ')
    await app.chat.publish('tea', { text: 'hello' })
    await shows('a', 'online tea 1 ok: hello')

    const { members: [ada] } = await app.chat.members('tea')
    await app.chat.removeMember('tea', ada!.id, { reason: 'spam' })
    await shows('a', 'online tea 1 removed: hello')
    t.equal(await act(page, 'post', 'late'), 'removed')
    await render(tree('3'))
    await shows('a', 'online tea 1 ok: hello')

    await render(tree('3', 'a wrong name'))
    await shows('a', 'online none 0 invalid: ')
    await page.evaluate(() => (globalThis as unknown as PageWindow).page.client('ada').close())
    await render(tree('4'))
    await shows('a', 'closed none 0 closed: ')
    t.strictSame(complaints, [])
  })

  t.test('error reports that the app has left the room or closed the client', { skip }, async (t) => {
    const { app, page, presence, complaints, render, shows, recorded } = await reactApp(t, modules)
    for (const name of ['ada', 'bob']) await createClient(page, name)
    const tree = (client: string, key: string): Tree => ({ providers: [{ client, rooms: [{ id: 'a', name: 'tea', key }] }] })
    await app.chat.publish('tea', { text: 'hello' })
    await render(tree('ada', '1'))
    await shows('a', 'online tea 1 ok: hello')
    await page.evaluate(() => (globalThis as unknown as PageWindow).page.result('a').room!.leave())
    await shows('a', 'online tea 1 left: hello')
    await recorded('ada leaves tea')
    t.equal(await act(page, 'post', 'late'), 'left')
    await render(tree('ada', '2'))
    await shows('a', 'online tea 1 ok: hello')
    await page.evaluate(() => (globalThis as unknown as PageWindow).page.client('ada').leave('tea'))
    await shows('a', 'online tea 1 left: hello')
    t.equal(presence.filter((line) => line === 'ada joins tea').length, 2)

    await render(tree('bob', '1'))
    await shows('a', /^online tea \d ok: hello$/)
    await page.evaluate(() => (globalThis as unknown as PageWindow).page.client('bob').close())
    await shows('a', /^closed tea \d closed: hello$/)
    t.strictSame(complaints, [])
  })

  t.test('error reports the end of a room of which events were dropped before the mount', { skip }, async (t) => {
    const { app, page, complaints, render, shows } = await reactApp(t, modules)
    await createClient(page, 'ada')
    const position = () => page.evaluate(async () => (await (globalThis as unknown as PageWindow).page.client('ada').join('tea')).position)
    await position()
    for (let i = 0; i < 1_100; i++) await app.chat.publish('tea', { text: String(i) })
    const last = await app.chat.publish('tea', { text: 'last' })
    while (await position() !== last) await page.evaluate(() => (globalThis as unknown as PageWindow).page.turn())
    await render(treeOf({ client: 'ada' }, 'tea'))
    await shows('a', /^online tea 1 ok: /)
    await page.evaluate(() => (globalThis as unknown as PageWindow).page.result('a').room!.leave())
    await shows('a', /^online tea 1 left: /)
    t.strictSame(complaints, [])
  })

  t.test("a wrong size of the timeline sets error, and the room isn't joined", { skip }, async (t) => {
    const { page, complaints, render, shows, recorded } = await reactApp(t, modules)
    await createClient(page, 'ada')
    const tree = (size: number): Tree => ({ providers: [{ client: 'ada', rooms: [{ id: 'a', name: 'tea', key: String(size), size }] }] })
    await render(tree(10))
    await shows('a', 'online none 0 invalid: ')
    await recorded('ada leaves tea')
    t.equal(await act(page, 'post', 'hello'), 'offline')
    await render(tree(50))
    await shows('a', 'online tea 1 ok: ')
    t.strictSame(complaints, [])
  })

  t.test("after a refused join, the unmount doesn't leave a room that the app has joined itself", { skip }, async (t) => {
    let allowed = false
    const { app, page, presence, complaints, render, unmount, shows } = await reactApp(t, modules, { authorize: () => allowed })
    await createClient(page, 'ada')
    await render(treeOf({ client: 'ada' }, 'tea'))
    await shows('a', 'online none 0 forbidden: ')
    allowed = true
    await page.evaluate(async () => { await (globalThis as unknown as PageWindow).page.client('ada').join('tea') })
    await unmount()
    const posted = await page.evaluate(async () => {
      const { page } = globalThis as unknown as PageWindow
      await page.turn()
      return await (await page.client('ada').join('tea')).post('hello')
    })
    t.type(posted, 'string')
    t.strictSame(presence, ['ada joins tea'])
    t.equal((await app.chat.members('tea')).count, 1)
    t.strictSame(complaints, [])
  })

  t.test('the actions post, change, load and mark messages, and stay the same functions', { skip }, async (t) => {
    const prePost: FastifyChatOptions['prePost'] = (draft) => {
      if (draft.text === 'spam') throw new Error('no advertising')
      return draft
    }
    const { app, page, port, complaints, render, shows } = await reactApp(t, modules, { prePost })
    for (let i = 0; i < 5; i++) await app.chat.publish('tea', { text: String(i) })
    await createClient(page, 'ada')
    const tree: Tree = { providers: [{ client: 'ada', rooms: [{ id: 'a', name: 'tea', history: 2 }] }] }
    await render(tree)
    await shows('a', 'online tea 1 ok: 3,4')
    const before = await page.evaluateHandle(() => ({ ...(globalThis as unknown as PageWindow).page.result('a') }))

    await act(page, 'loadOlder', 2)
    await shows('a', 'online tea 1 ok: 1,2,3,4')
    const position = await act(page, 'post', 'helo') as string
    await shows('a', 'online tea 1 ok: 1,2,3,4,helo')
    await act(page, 'edit', position, 'hello')
    await shows('a', 'online tea 1 ok: 1,2,3,4,hello')
    await act(page, 'react', position, '👍')
    const reactions = (wanted: string) => page.waitForFunction((wanted) => {
      const last = (globalThis as unknown as PageWindow).page.result('a').items.at(-1)!
      return JSON.stringify('reactions' in last ? last.reactions : []) === wanted
    }, wanted)
    await reactions('[{"reaction":"👍","count":1,"mine":true}]')
    await act(page, 'unreact', position, '👍')
    await reactions('[]')

    const grace = await chatClient(t, port, { name: 'grace' }).join('tea')
    await shows('a', 'online tea 2 ok: 1,2,3,4,hello')
    const typing = nextEvent(grace, 'typing')
    await act(page, 'reportTyping')
    t.match(await typing, { name: 'ada', on: true })
    grace.typing()
    await page.waitForFunction(() => (globalThis as unknown as PageWindow).page.result('a').typing[0]?.name === 'grace')
    await grace.post('unread')
    await shows('a', 'online tea 2 ok: 1,2,3,4,hello,unread')
    t.strictSame(await page.evaluate(() => {
      const { unread, typing } = (globalThis as unknown as PageWindow).page.result('a')
      return { unread, typing }
    }), { unread: 1, typing: [] })
    await act(page, 'markRead')
    await page.waitForFunction(() => (globalThis as unknown as PageWindow).page.result('a').unread === 0)

    t.equal(await act(page, 'post', 'spam'), 'refused')
    await shows('a', 'online tea 2 ok: 1,2,3,4,hello,unread,spam (failed)')
    const failed = () => page.evaluate(() => (globalThis as unknown as PageWindow).page.result('a').items.at(-1)!.key)
    const key = await failed()
    await act(page, 'retry', key)
    await page.waitForFunction((key) => {
      const last = (globalThis as unknown as PageWindow).page.result('a').items.at(-1)!
      return last.state === 'failed' && last.key !== key
    }, key)
    await act(page, 'discard', await failed())
    await shows('a', 'online tea 2 ok: 1,2,3,4,hello,unread')
    await act(page, 'delete', position)
    await shows('a', 'online tea 2 ok: 1,2,3,4,,unread')

    const changed = await page.evaluate((before) => {
      const { page: { result } } = globalThis as unknown as PageWindow
      const now = result('a') as unknown as Record<string, unknown>
      return Object.entries(before).filter(([name, value]) => typeof value === 'function' && now[name] !== value).map(([name]) => name)
    }, before)
    t.strictSame(changed, [])
    await render(tree)
    t.strictSame(await page.evaluate(() => (globalThis as unknown as PageWindow).page.replaced()), [])
    t.strictSame(complaints, [])
  })

  t.test("actions reject with 'offline', or do nothing, until the room is joined", { skip }, async (t) => {
    const held = gate()
    const authorize = async () => {
      await held.pass()
      return true
    }
    const { page, complaints, render, shows } = await reactApp(t, modules, { authorize })
    await createClient(page, 'ada')
    await render(treeOf({ client: 'ada' }, 'tea'))
    await held.reached
    await shows('a', 'online none 0 ok: ')
    for (const name of ['post', 'edit', 'delete', 'react', 'unreact', 'loadOlder', 'loadNewer', 'jumpTo', 'jumpToNewest'] as const) {
      t.equal(await act(page, name, ...['x', 'y', 'z'] as never), 'offline', name)
    }
    for (const name of ['reportTyping', 'markRead', 'follow', 'retry', 'discard', 'dropEarlier'] as const) {
      t.equal(await act(page, name, ...[] as never), undefined, name)
    }
    held.open()
    await shows('a', 'online tea 1 ok: ')
    t.strictSame(complaints, [])
  })

  t.test('a lost connection shows in the status; posts wait, and missed messages arrive', { skip }, async (t) => {
    const { app, page, network, port, complaints, render, shows } = await reactApp(t, modules)
    await createClient(page, 'ada')
    await render(treeOf({ client: 'ada' }, 'tea'))
    await shows('a', 'online tea 1 ok: ')
    network.target = undefined
    network.cut()
    await page.locator('#a', { hasText: /^(waiting|connecting) tea/ }).waitFor()
    const posted = act(page, 'post', 'mine')
    await page.locator('#a', { hasText: /: mine \(pending\)$/ }).waitFor()
    await app.chat.publish('tea', { text: 'missed' })
    network.target = port
    await shows('a', 'online tea 1 ok: missed,mine')
    t.type(await posted, 'string')
    t.strictSame(complaints, [])
  })

  t.test('a server renders the empty room without a client; a browser hydrates it', { skip }, async (t) => {
    const server = await serverSide(t, modules)
    // The client throws for this URL.
    t.equal(server.html(treeOf({ url: 'no url:', showsClient: true }, 'tea')),
      '<main><p id="a">connecting none 0 ok: </p><p id="client">none</p></main>')
    t.throws(() => server.htmlWithoutProvider(), { message: 'useRoom and useChatClient require a ChatProvider' })

    for (const provider of [{ url: '/chat', options }, { client: 'ada' }]) {
      const tree = treeOf(provider, 'tea')
      const html = server.html(treeOf({ url: '/chat' }, 'tea'))
      const { page, sockets, complaints, shows } = await reactApp(t, modules, {}, html)
      await shows('a', 'connecting none 0 ok: ')
      await createClient(page, 'ada')
      await page.evaluate((tree) => (globalThis as unknown as PageWindow).page.hydrate(tree), tree)
      await shows('a', 'online tea 1 ok: ')
      t.equal(sockets.length, 'url' in provider ? 2 : 1)
      t.strictSame(complaints, [])
    }
  })

  t.test('200 mounts leak no listeners, rooms or timelines', { skip }, async (t) => {
    const { page, presence, complaints, render, shows, recorded } = await reactApp(t, modules, { limits: { handshakeRate: Infinity } as object })
    await createClient(page, 'ada')
    await render(treeOf({ client: 'ada' }, 'tea'))
    await shows('a', 'online tea 1 ok: ')
    /** Mounts and unmounts a component. Resolves when it has joined each time. */
    const mounts = (tree: Tree, count: number) => page.evaluate(async ([tree, count]) => {
      const { page } = globalThis as unknown as PageWindow
      page.unmount()
      await page.turn()
      for (let i = 0; i < count; i++) {
        const before = page.result('a').room
        page.render(tree)
        while (page.result('a').room === undefined || page.result('a').room === before) await page.turn()
        page.unmount()
        await page.turn()
      }
      return page.listeners()
    }, [tree, count] as const)
    const counted = async () => {
      const session = await page.context().newCDPSession(page)
      const counts: number[] = []
      for (const at of [0, 1, 2]) {
        const { result } = await session.send('Runtime.evaluate', { expression: `page.prototypes[${at}]` })
        const { objects } = await session.send('Runtime.queryObjects', { prototypeObjectId: result.objectId! })
        const length = await session.send('Runtime.callFunctionOn', { objectId: objects.objectId!, functionDeclaration: 'function () { return this.length }', returnByValue: true })
        counts.push(length.result.value as number)
      }
      await session.detach()
      return counts
    }
    const given = treeOf({ client: 'ada' }, 'tea')
    const listeners = await mounts(given, 1)
    t.equal(await mounts(given, 200), listeners)
    t.equal(await mounts(treeOf({ url: '/chat', options: { ...options, name: 'bob' } }, 'tea'), 50), listeners)
    await recorded('bob leaves tea')
    const [clients, rooms, timelines] = await counted()
    for (const [name, count] of Object.entries({ clients, rooms, timelines })) t.ok(count! <= 5, `${count} ${name}`)
    t.equal(presence.filter((line) => line === 'ada joins tea').length, 202)
    t.strictSame(complaints, [])
  })
}
