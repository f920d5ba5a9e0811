import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type BuildOptions } from 'esbuild'
import t, { type Test } from 'tap'
import { directory } from '../support/directory.ts'
import { program } from '../support/program.ts'

const repository = fileURLToPath(new URL('../../', import.meta.url))

/** Packages in the CommonJS format need `require`, which a bundle of ES modules doesn't have. */
const banner = { js: "import { createRequire } from 'node:module'\nconst require = createRequire(import.meta.url)" }

const formats: Record<string, BuildOptions> = {
  'ES modules': { format: 'esm', banner },
  CommonJS: { format: 'cjs' }
}

/** Bundles a program that starts an app, in a package that has a `public` folder of its own. Resolves with the bundled file. */
async function bundle (t: Test, chatOptions: string, options: BuildOptions): Promise<string> {
  const folder = directory(t)
  writeFileSync(join(folder, 'package.json'), '{ "name": "own" }')
  mkdirSync(join(folder, 'public'))
  writeFileSync(join(folder, 'public/index.html'), 'own page')
  symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'))
  const outfile = join(folder, `build/server/main.${options.format === 'esm' ? 'mjs' : 'cjs'}`)
  const contents = `
    import Fastify from 'fastify'
    import fastifyChat from 'fastify-chat'

    const app = Fastify({ logger: true })
    app.register(fastifyChat, ${chatOptions})
    app.listen({ port: 0 }, async (error) => {
      if (error) return console.log('FAILED', error.code, error.message)
      console.log('PAGE', (await app.inject('/demo/')).statusCode)
      app.close()
    })`
  await build({
    stdin: { contents, resolveDir: folder },
    alias: { 'fastify-chat': join(repository, 'src/index.ts') },
    bundle: true,
    platform: 'node',
    target: 'node20',
    logLevel: 'error',
    outfile,
    ...options
  })
  return outfile
}

for (const [format, options] of Object.entries(formats)) {
  t.test(`bundled as ${format}, the page causes one error that names the option and the remedy`, async (t) => {
    const node = program(t, await bundle(t, '{}', options))
    const [, code, message] = await node.printed(/^FAILED (\S+) (.*)$/m)
    t.equal(code, 'FST_CHAT_INVALID_OPTION')
    t.match(message, /option 'page' must be false here, because the files of the page are missing: .*exclude fastify-chat from the bundle/)
  })

  t.test(`bundled as ${format}, an app without the page starts`, async (t) => {
    const node = program(t, await bundle(t, '{ page: false }', options))
    t.equal((await node.printed(/^PAGE (\d+)$/m))[1], '404')
    t.equal((await node.ended).code, 0)
  })
}
