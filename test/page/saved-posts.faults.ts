import t from 'tap'
import { launch } from '../support/chromium.ts'
import { randomRounds } from './saved-posts-rounds.ts'

t.test('in many random rounds, two tabs neither lose nor duplicate a post', async (t) => {
  const browser = await launch()
  t.teardown(() => browser.close())
  await randomRounds(t, browser, 60)
})
