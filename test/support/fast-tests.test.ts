import t from 'tap'
import { fastTests } from './fast-tests.ts'

const fast = fastTests()

t.test('tests that start a browser, Redis, nginx or a command are not fast', async (t) => {
  for (const file of ['page/browser', 'drivers/store-redis', 'upgrade/deployment', 'cli/cli', 'docs/readme', 'plugin/package', 'client/client-close']) {
    t.notOk(fast.includes(`${file}.test.ts`), file)
  }
})

t.test('tests that run in one process are fast', async (t) => {
  for (const file of ['wire/v1', 'rooms/rooms', 'connection/frames', 'upgrade/origin', 'client/client', 'drivers/store-memory', 'page/page']) {
    t.ok(fast.includes(`${file}.test.ts`), file)
  }
})
