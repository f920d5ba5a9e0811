import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { clientProgram } from '../support/client-program.ts'
import { checkout, ran } from '../support/packed.ts'
import { started } from '../support/program.ts'

const tsc = join(checkout, 'node_modules/typescript/bin/tsc')
const commonjs = ['--module', 'commonjs', '--moduleResolution', 'node10', '--target', 'es2022', '--strict', '--esModuleInterop', '--skipLibCheck']

t.test('TypeScript with moduleResolution node10 finds the types, and Node runs its output', async (t) => {
  const { folder, url } = await clientProgram(t)
  writeFileSync(join(folder, 'package.json'), '{ "name": "own", "private": true }')
  writeFileSync(join(folder, 'main.ts'), `
    import { ChatClient, type ClientRoom } from 'fastify-chat/client'

    const client = new ChatClient<{ data: string }>('${url}')
    client.join('lobby').then(async (room: ClientRoom<{ data: string }>) => {
      await room.post('hello', 'data')
      client.close()
      console.log('posted')
    })
    // @ts-expect-error the client has its types
    const state: number = client.status.state`)
  await ran(folder, process.execPath, [tsc, ...commonjs, 'main.ts'])
  t.match(await started(t, process.execPath, ['main.js'], { cwd: folder }).ended, { code: 0, output: /^posted$/m })
})

t.test('TypeScript with moduleResolution node10 finds every other entry', async (t) => {
  const { folder } = await clientProgram(t)
  writeFileSync(join(folder, 'entries.ts'), ['', '/contract', '/lmdb', '/react', '/redis', '/test'].map((entry, i) => `import * as entry${i} from 'fastify-chat${entry}'\nvoid entry${i}\n`).join(''))
  await ran(folder, process.execPath, [tsc, ...commonjs, '--noEmit', 'entries.ts'])
})
