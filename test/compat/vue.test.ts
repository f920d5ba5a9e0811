import t from 'tap'
import type { Plugin } from 'vite'
import { compileScript, parse } from 'vue/compiler-sfc'
import { skip } from '../support/chromium.ts'
import { frameworkApp, recipe } from './frameworks.ts'

/** Compiles components. */
const vue: Plugin = {
  name: 'vue',
  // Vue warns without them.
  config: () => ({ define: Object.fromEntries(['OPTIONS_API', 'PROD_DEVTOOLS', 'PROD_HYDRATION_MISMATCH_DETAILS'].map((flag) => [`__VUE_${flag}__`, 'false'])) }),
  transform (source, id) {
    if (!id.endsWith('.vue')) return null
    const { descriptor, errors } = parse(source, { filename: id })
    if (errors.length > 0) throw new Error(errors.join())
    return compileScript(descriptor, { id, inlineTemplate: true }).content
  }
}

const main = `
import { createApp, h, reactive, ref } from 'vue'
import { ChatClient } from 'fastify-chat/client'
import Room from './Room.vue'

const client = new ChatClient('/chat', { name: 'ada' })
const shown = ref(true)
const state = reactive({ client })
globalThis.shown = shown
globalThis.isWrapped = state.client !== client
createApp({ render: () => shown.value ? h(Room, { client: state.client, name: 'tea' }) : h('p', 'none') }).mount('#root')
`

t.setTimeout(300_000)

t.test('the recipe of CLIENT.md for Vue shows a room, posts, and leaves the room', { skip }, async (t) => {
  const files = { 'main.ts': main, 'Room.vue': recipe('vue', 'use-room'), 'use-room.ts': recipe('ts', "from 'vue'") }
  const { app, page, presence, complaints } = await frameworkApp(t, 'vue', files, [vue])
  await page.getByRole('button', { disabled: false }).waitFor()
  await app.chat.publish('tea', { text: 'hello', from: { id: 'g', name: 'grace' } })
  await page.getByText('grace: hello').waitFor()
  await page.getByRole('button').click()
  await page.getByText('ada: Good morning.').waitFor()
  t.equal(await page.evaluate(() => (globalThis as unknown as { isWrapped: boolean }).isWrapped), false)

  const { members: [ada] } = await app.chat.members('tea')
  await app.chat.removeMember('tea', ada!.id, { reason: 'no advertising' })
  await page.getByText('no advertising').waitFor()
  const show = (on: boolean) => page.evaluate((on) => { (globalThis as unknown as { shown: { value: boolean } }).shown.value = on }, on)
  await show(false)
  await page.getByText('none').waitFor()
  await show(true)
  await page.getByText('ada: Good morning.').waitFor()
  await show(false)
  await presence.recorded('ada leaves tea', 2)
  t.strictSame(presence.lines, ['ada joins tea', 'ada leaves tea', 'ada joins tea', 'ada leaves tea'])
  t.strictSame(complaints, [])
})
