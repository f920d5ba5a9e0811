import { compile } from 'svelte/compiler'
import t from 'tap'
import type { Plugin } from 'vite'
import { skip } from '../support/chromium.ts'
import { frameworkApp, recipe, showsRoom } from './frameworks.ts'

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
  await showsRoom(t, await frameworkApp(t, 'svelte', files, [svelte]))
})
