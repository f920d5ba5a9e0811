import { join } from 'node:path'
import { build, type BuildOptions } from 'esbuild'
import t from 'tap'
import { clientProgram } from '../support/client-program.ts'
import { started } from '../support/program.ts'

/** `ws` is in the CommonJS format and needs `require`, which a bundle of ES modules doesn't have. */
const banner = { js: "import { createRequire } from 'node:module'\nconst require = createRequire(import.meta.url)" }

const bundles: Record<string, BuildOptions> = {
  'ES modules for Node, without ws': { platform: 'node', format: 'esm', external: ['ws'] },
  'ES modules for Node, with ws and require': { platform: 'node', format: 'esm', banner },
  'CommonJS for Node': { platform: 'node', format: 'cjs', outExtension: { '.js': '.cjs' } },
  '--platform=neutral': { platform: 'neutral', format: 'esm' },
  '--platform=browser': { platform: 'browser', format: 'esm' }
}

for (const [name, options] of Object.entries(bundles)) {
  t.test(`the client bundled by esbuild as ${name} connects and posts`, async (t) => {
    const { folder, file } = await clientProgram(t)
    const outdir = join(folder, 'out')
    const { metafile, warnings } = await build({ entryPoints: [file], bundle: true, outdir, metafile: true, logLevel: 'error', ...options })
    t.same(warnings, [])
    const needsNode = Object.keys(metafile!.inputs).some((input) => input.endsWith('client/node.js'))
    t.equal(needsNode, options.platform === 'node')
    // Node 20 has a WebSocket behind a flag; later versions ignore the flag.
    const node = started(t, process.execPath, ['--experimental-websocket', join(outdir, options.format === 'cjs' ? 'main.cjs' : 'main.js')], { cwd: folder })
    t.match(await node.ended, { code: 0, output: /^posted$/m })
  })
}
