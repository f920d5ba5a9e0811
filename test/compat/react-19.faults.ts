import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { reactApp, type PageWindow } from '../page/react-app.ts'
import { testReact } from '../page/react-suite.ts'
import type { Tree } from '../page/react-tree.ts'
import { skip } from '../support/chromium.ts'
import { directory } from '../support/directory.ts'
import { blocksOf } from '../support/markdown.ts'
import { checkout, run } from '../support/packed.ts'

const modules = join(checkout, 'test/compat/node_modules')

testReact(modules)

t.test('a provider in a hidden Activity closes its client, and creates another when shown', { skip }, async (t) => {
  const { app, page, sockets, complaints, render, shows, recorded } = await reactApp(t, modules)
  const tree: Tree = { providers: [{ url: '/chat', options: { name: 'ada' }, rooms: [{ id: 'a', name: 'tea' }] }] }
  await render({ ...tree, activity: 'visible' })
  await shows('a', 'online tea 1 ok: ')
  await render({ ...tree, activity: 'hidden' })
  await recorded('ada leaves tea')
  await app.chat.publish('tea', { text: 'hello' })
  await render({ ...tree, activity: 'visible' })
  await shows('a', 'online tea 1 ok: hello')
  t.equal(sockets.length, 2)
  t.strictSame(await page.evaluate(() => (globalThis as unknown as PageWindow).page.states()), ['connecting', 'online'])
  t.strictSame(complaints, [])
})

t.test('the types of the hooks compile with the types of React 19', async (t) => {
  const folder = directory(t)
  // Copies: a link would lead to the types of another React.
  for (const name of ['@types/react', 'csstype']) cpSync(join(modules, name), join(folder, 'node_modules', name), { recursive: true })
  mkdirSync(join(folder, 'node_modules/fastify-chat'))
  for (const name of ['package.json', 'dist']) cpSync(join(checkout, name), join(folder, 'node_modules/fastify-chat', name), { recursive: true })
  const [block] = blocksOf('docs/REACT.md').filter(({ info }) => info === 'tsx')
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(folder, 'pictures.tsx'), block!.source)
  writeFileSync(join(folder, 'app.tsx'), `
    import { StrictMode, type ReactElement } from 'react'
    import { ChatClient } from 'fastify-chat/client'
    import { ChatProvider } from 'fastify-chat/react'
    import { Pictures } from './pictures.js'

    const client = new ChatClient<{ data: { url: string } }>('/chat')
    export const given: ReactElement = <ChatProvider client={client}><Pictures />text</ChatProvider>
    export const created = <StrictMode><ChatProvider url='/chat' options={{ name: 'ada' }}>{[<Pictures key='a' />, null]}</ChatProvider></StrictMode>
    // @ts-expect-error neither a client nor a URL
    export const wrong = <ChatProvider />
  `)
  const options = '--noEmit --strict --exactOptionalPropertyTypes --target es2022 --module nodenext --jsx react-jsx --lib es2023,esnext.disposable,dom,dom.iterable --types react'
  const { stdout } = await run(folder, process.execPath, [join(checkout, 'node_modules/typescript/bin/tsc'), ...options.split(' '), 'app.tsx'])
  t.equal(stdout, '')
})
