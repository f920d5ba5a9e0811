import assert from 'node:assert/strict'
import { setImmediate as tick } from 'node:timers/promises'
import type { Page } from '../../store.ts'
import type { StoreSubtest } from './bounds.ts'
import { all, deletion, edit, fill } from './entries.ts'

/** Checks changes of entries that are removed by age. */
export async function changesAgePromises (test: StoreSubtest): Promise<void> {
  await test('an entry older than historyAge is not changed, and its changes are reported as removed', async (open) => {
    const one = await open({ historyAge: 50 })
    const { revision } = await one.read('a', all)
    const [old] = await fill(one, 'a', 1)
    await one.amend('a', old!, edit('edited', { key: 'k', hash: 'h' }))
    let page: Page | undefined
    // The store's clock moves on by itself.
    do {
      await tick()
      const isRemoved = await one.get('a', old!) === undefined
      const [young] = await fill(one, 'a', 1)
      page = isRemoved ? await one.read('a', { ...all, after: young!, revision }) : undefined
    } while (page?.complete !== true)
    assert.deepEqual(page.changed, [])
    assert.equal(page.oldest !== undefined && page.oldest !== old, true)
    await assert.rejects(one.amend('a', old!, deletion), { code: 'FST_CHAT_NOT_KEPT' })
    assert.equal((await one.amend('a', old!, edit('edited', { key: 'k', hash: 'h' }))).again, true, 'a repeat is still known')
  })
}
