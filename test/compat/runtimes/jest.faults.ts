import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { clientProgram } from '../../support/client-program.ts'
import { plainEnv, run } from '../../support/packed.ts'

t.setTimeout(120_000)

t.test('a test of Jest that is an ES module uses the client', async (t) => {
  const { folder, url } = await clientProgram(t)
  await writeFile(join(folder, 'jest.config.js'), 'export default { transform: {} }')
  await writeFile(join(folder, 'chat.test.js'), `
    import { ChatClient } from 'fastify-chat/client'

    test('a message is posted', async () => {
      const client = new ChatClient('${url}')
      const room = await client.join('lobby')
      expect(await room.post('hello')).toMatch(/./)
      client.close()
    })`)
  const jest = fileURLToPath(new URL('node_modules/jest/bin/jest.js', import.meta.url))
  const { code, stderr } = await run(folder, process.execPath, [jest], { ...plainEnv, NODE_OPTIONS: '--experimental-vm-modules' })
  t.equal(code, 0, stderr)
})
