import { compile } from 'svelte/compiler'
import t from 'tap'
import type { Plugin } from 'vite'
import { skip } from '../support/chromium.ts'
import { frameworkApp, recipe } from './frameworks.ts'

/** Compiles components. */
const svelte: Plugin = {
  name: 'svelte',
  config: () => ({ resolve: { conditions: ['svelte', 'browser'] } }),
  transform: (source, id) => id.endsWith('.svelte') ? compile(source, { filename: id, generate: 'client' }).js.code : null
}

const main = `
import { mount, unmount } from 'svelte'
import { ChatClient } from 'fastify-chat/client'
import Room from './Room.svelte'

const client = new ChatClient('/chat', { name: 'ada' })
let mounted
globalThis.show = async (on) => {
  if (on) mounted = mount(Room, { target: document.querySelector('#root'), props: { client, name: 'tea' } })
  else await unmount(mounted)
}
show(true)
`

t.setTimeout(300_000)

t.test('the recipe of CLIENT.md for Svelte shows a room, posts, and leaves the room', { skip }, async (t) => {
  const files = { 'main.ts': main, 'Room.svelte': recipe('svelte', 'room-store'), 'room-store.ts': recipe('ts', "from 'svelte/store'") }
  const { app, page, presence, complaints } = await frameworkApp(t, 'svelte', files, [svelte])
  await page.getByRole('button', { disabled: false }).waitFor()
  await app.chat.publish('tea', { text: 'hello', from: { id: 'g', name: 'grace' } })
  await page.getByText('grace: hello').waitFor()
  await page.getByRole('button').click()
  await page.getByText('ada: Good morning.').waitFor()

  const { members: [ada] } = await app.chat.members('tea')
  await app.chat.removeMember('tea', ada!.id, { reason: 'no advertising' })
  await page.getByText('no advertising').waitFor()
  const show = (on: boolean) => page.evaluate(async (on) => await (globalThis as unknown as { show (on: boolean): Promise<void> }).show(on), on)
  await show(false)
  await show(true)
  await page.getByText('ada: Good morning.').waitFor()
  await show(false)
  await presence.recorded('ada leaves tea', 2)
  t.strictSame(presence.lines, ['ada joins tea', 'ada leaves tea', 'ada joins tea', 'ada leaves tea'])
  t.strictSame(complaints, [])
})
