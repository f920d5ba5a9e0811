import type { Browser } from 'playwright-core'
import type { Test } from 'tap'
import { call, crash, sent, setUp, tabs, takeDown } from './saved-posts-tabs.ts'

/** Writes posts in two tabs, which reload, crash or end at random while the network fails. Asserts that each post is stored once. */
export async function randomRounds (t: Test, browser: Browser, rounds: number): Promise<void> {
  const { app, network, url, context, texts } = await setUp(t, browser)
  const target = network.target
  const { open, ready, twice } = tabs(context, url)
  const all = [await open(), await open()]
  const written: string[] = []
  const done = { reload: 0, close: 0, crash: 0, none: 0 }
  const random = (n: number) => Math.floor(Math.random() * n)
  for (let round = 0; round < rounds; round++) {
    network.target = target
    await Promise.all(all.map(({ page }) => ready(page)))
    // Acknowledgements are lost, or the server is down, or all is well until the tab ends.
    const mode = ['silent', 'down', 'up'][random(3)]
    if (mode === 'silent') network.silence()
    if (mode === 'down') takeDown(network)
    for (const [at, { page }] of all.entries()) {
      const some = Array.from({ length: random(4) }, (_, i) => `${round} ${mode} tab ${at} post ${i}`)
      await call.write(page, some)
      written.push(...some)
    }
    if (mode === 'silent' && random(2) === 0) takeDown(network)
    for (const [at, tab] of all.entries()) {
      const end = (['reload', 'close', 'crash', 'none'] as const)[random(4)]!
      done[end]++
      if (end === 'none') continue
      if (end === 'crash') await crash(context, tab)
      if (end === 'close') await tab.page.close()
      if (end === 'reload') await tab.page.reload()
      else all[at] = await open()
    }
    takeDown(network)
    network.target = target
    await Promise.all(all.map(({ page }) => ready(page)))
    await sent(all[0]!.page)
  }
  const stored = await texts()
  const lost = written.filter((text) => !stored.includes(text))
  const doubled = stored.filter((text, i) => stored.indexOf(text) !== i)
  const errors = (await Promise.all(all.map(({ page }) => call.errors(page)))).flat()
  t.comment(`${rounds} rounds, ${written.length} posts, ${JSON.stringify(done)}: lost ${lost.length}, doubled ${doubled.length}, sent by two tabs ${twice.length}`)
  t.same(lost, [])
  t.same(doubled, [])
  t.same(twice, [])
  t.same(errors, [])
  t.equal(stored.length, written.length)
  t.equal(app.chat.stats().posts, written.length)
}
