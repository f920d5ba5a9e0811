import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { command } from '../support/compiled.ts'
import { started } from '../support/program.ts'

const hooks = `import { writeSync } from 'node:fs'
export async function resolve (name, context, next) {
  if (context.parentURL?.includes('/dist/') && /^@?[a-z]/.test(name) && !name.startsWith('node:')) writeSync(2, 'imports ' + name + '\\n')
  return await next(name, context)
}`
const url = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`
const report = `--import=${url(`import { register } from 'node:module'\nregister(${JSON.stringify(url(hooks))})`)}`

/** Resolves with the packages that compiled files import until the program prints a line that matches. */
async function imported (t: Test, args: string[], end: RegExp): Promise<string[]> {
  const { printed, end: kill } = started(t, process.execPath, [report, ...args], { cwd: fileURLToPath(new URL('../../', import.meta.url)), env: {} })
  await printed(end)
  const { output } = await kill('SIGKILL')
  return [...new Set([...output.matchAll(/^imports (.+)$/gm)].map(([, name]) => name!))].sort()
}

const always = ['@fastify/error', '@fastify/static', '@fastify/websocket', 'fastify-plugin', 'find-my-way', 'ipaddr.js', 'ws']

t.test('registering with the defaults loads no package that only an option needs', async (t) => {
  const script = `
    import { fastify } from 'fastify'
    import { fastifyChat } from './dist/index.js'
    const app = fastify()
    await app.register(fastifyChat)
    await app.ready()
    console.log('ready')`
  t.strictSame(await imported(t, ['--input-type=module', '-e', script], /^ready$/m), always)
})

t.test("the command loads no storage driver and no log formatter that it doesn't need", async (t) => {
  t.strictSame(await imported(t, [...command.slice(1), 'serve', '--port', '0'], /Server listening/), [...always, 'close-with-grace', 'fastify'].sort())
})
