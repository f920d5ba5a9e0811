import t from 'tap'
import type { Plugin } from 'vite'
import { compileScript, parse } from 'vue/compiler-sfc'
import { skip } from '../support/chromium.ts'
import { frameworkApp, recipe, showsRoom } from './frameworks.ts'

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
import { createApp, h, nextTick, reactive, ref } from 'vue'
import { ChatClient } from 'fastify-chat/client'
import Room from './Room.vue'

const client = new ChatClient('/chat', { name: 'ada' })
const shown = ref(true)
const state = reactive({ client })
globalThis.show = async (on) => {
  shown.value = on
  await nextTick()
}
globalThis.isWrapped = state.client !== client
createApp({ render: () => shown.value ? h(Room, { client: state.client, name: 'tea' }) : null }).mount('#root')
`

t.setTimeout(300_000)

t.test('the recipe of CLIENT.md for Vue shows a room, posts, and leaves the room', { skip }, async (t) => {
  const files = { 'main.ts': main, 'Room.vue': recipe('vue', 'use-room'), 'use-room.ts': recipe('ts', "from 'vue'") }
  const app = await frameworkApp(t, 'vue', files, [vue])
  t.equal(await app.page.evaluate(() => (globalThis as unknown as { isWrapped: boolean }).isWrapped), false)
  await showsRoom(t, app)
})
