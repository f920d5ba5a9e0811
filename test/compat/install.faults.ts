import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { fastifyPackages, npmInstall, packBuild, plainEnv, ran, run } from '../support/packed.ts'

// It installs from a registry.
t.setTimeout(900_000)
const { folder, tarball } = await packBuild(t)
const pnpm = fileURLToPath(new URL('node_modules/.bin/pnpm', import.meta.url))

/** Each package manager, with a version of Fastify. pnpm installs one: both versions with npm cover the range. */
const managers = [
  ['npm', '5.0.0', npmInstall],
  ['npm', '5', npmInstall],
  ['pnpm', '5', [pnpm, 'add', '--config.engine-strict=true', '--prefer-offline']]
] as const

const script = `
  import Fastify from 'fastify'
  import fastifyChat from 'fastify-chat'
  import { connect } from 'fastify-chat/test'

  const app = Fastify()
  await app.register(fastifyChat)
  const echo = await connect(app, '/echo')
  echo.send('hello')
  const chat = await connect(app, '/chat?name=ada')
  const page = await app.inject('/demo/')
  console.log(JSON.stringify({ fastify: app.version, echo: await echo.next(), chat: await chat.next(), page: page.statusCode }))
  await app.close()
`

/** The versions of Node to test with: those of NODE_VERSIONS, else the running one. */
for (const version of process.env['NODE_VERSIONS']?.split(/[ ,]+/) ?? [process.versions.node]) {
  const node = await find(version)
  const env = { ...plainEnv, PATH: `${dirname(node)}${delimiter}${process.env['PATH']}` }
  for (const [manager, fastify, [file, ...install]] of managers) {
    t.test(`Node ${version}: ${manager} installs it with engine-strict and fastify@${fastify}, and an app works`, async (t) => {
      const app = join(folder, `${version}-${manager}-${fastify}`)
      await mkdir(app)
      await writeFile(join(app, 'package.json'), '{ "private": true, "type": "module" }')
      await ran(app, file, [...install, tarball, ...fastifyPackages(fastify, version)], env)

      await writeFile(join(app, 'app.js'), script)
      const { code, stdout, stderr } = await run(app, node, ['app.js'], env)
      t.equal(stderr, '')
      t.equal(code, 0)
      const result = JSON.parse(stdout) as { fastify: string }
      t.match(result, { echo: 'hello', chat: 'connected to WebSocket server', page: 200 })
      if (fastify === '5.0.0') t.equal(result.fastify, fastify)

      const server = spawn(node, ['node_modules/fastify-chat/dist/cli/main.js', 'serve', '--port', '0'], { cwd: app, env })
      t.teardown(() => server.kill('SIGKILL'))
      let errors = ''
      server.stderr.setEncoding('utf8').on('data', (chunk: string) => { errors += chunk })
      const ended = once(server, 'close')
      for await (const line of createInterface(server.stdout)) {
        const [, url] = /chat page is at ([^" ]+)/.exec(line) ?? []
        if (url === undefined) continue
        t.equal((await fetch(url, { headers: { connection: 'close' } })).status, 200)
        server.kill()
      }
      t.strictSame(await ended, [0, null])
      t.equal(errors, '')
    })
  }
}

t.test('npx starts the demo server in an empty folder', async (t) => {
  const empty = join(folder, 'empty')
  await mkdir(empty)
  const args = ['--yes', '--prefer-offline', '--package', tarball, 'fastify-chat', 'serve', '--port', '0']
  // A process group of its own, because npx starts further processes.
  const child = spawn('npx', args, { cwd: empty, env: plainEnv, detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  t.teardown(async () => {
    process.kill(-child.pid!, 'SIGKILL')
    await ended
  })
  for await (const line of createInterface(child.stdout)) {
    const [, url] = /"Server listening at (http:[^"]+)"/.exec(line) ?? []
    if (url === undefined) continue
    t.match(await (await fetch(url)).text(), 'main.js')
    return
  }
  t.fail('the server did not start')
})

/** Returns the path of a Node of this version, installed from the registry if it isn't the running one. */
async function find (version: string): Promise<string> {
  if (process.versions.node.startsWith(version)) return process.execPath
  const args = ['exec', '--yes', `--package=node@${version}`, '--', 'node', '-p', 'process.execPath']
  return (await promisify(execFile)('npm', args, { cwd: folder, env: plainEnv })).stdout.trim()
}
