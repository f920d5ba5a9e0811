import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import { rollup } from 'rollup'
import t, { type Test } from 'tap'
import webpack, { type Configuration } from 'webpack'
import { clientProgram } from '../../support/client-program.ts'
import { plainEnv, ran } from '../../support/packed.ts'
import { started } from '../../support/program.ts'

t.setTimeout(300_000)

/** Runs a bundle. Node 20 has the WebSocket of browsers behind a flag; later versions ignore the flag. */
async function posts (t: Test, folder: string, file: string): Promise<void> {
  t.match(await started(t, process.execPath, ['--experimental-websocket', file], { cwd: folder }).ended, { code: 0, output: /^posted$/m })
}

for (const browser of [false, true]) {
  t.test(`Rollup bundles the client into one file for ${browser ? 'browsers' : 'Node'}`, async (t) => {
    const { folder, file } = await clientProgram(t)
    const onwarn = ({ message }: { message: string }) => t.fail(message)
    const bundle = await rollup({ input: file, onwarn, external: browser ? [] : ['ws'], plugins: [nodeResolve(browser ? { browser } : { exportConditions: ['node'] })] })
    await bundle.write({ file: join(folder, 'out.js'), format: 'es' })
    t.equal((await readFile(join(folder, 'out.js'), 'utf8')).includes("from 'ws'"), !browser)
    await posts(t, folder, 'out.js')
  })
}

for (const target of ['web', 'webworker', 'node20']) {
  t.test(`webpack bundles the client for ${target}`, async (t) => {
    const { folder, file } = await clientProgram(t)
    const path = join(folder, 'out')
    // `ws` requires these two if they are installed.
    const externals = { bufferutil: 'commonjs bufferutil', 'utf-8-validate': 'commonjs utf-8-validate' }
    const output = { path, filename: 'main.cjs' }
    await compile({ mode: 'production', context: folder, entry: file, target, output, ...target === 'node20' && { externals } })
    t.same(await readdir(path), ['main.cjs'])
    await posts(t, folder, 'out/main.cjs')
  })
}

function compile (configuration: Configuration): Promise<void> {
  return new Promise((resolve, reject) => webpack(configuration, (error, stats) => {
    if (error === null && stats?.hasErrors() === false) resolve()
    else reject(error ?? new Error(stats?.toString()))
  }))
}

for (const packageExports of [false, true]) {
  t.test(`Parcel bundles the client for browsers, ${packageExports ? 'with' : 'without'} exports of packages`, async (t) => {
    const { folder } = await clientProgram(t)
    const own = { name: 'own', private: true, type: 'module', '@parcel/resolver-default': { packageExports } }
    await writeFile(join(folder, 'package.json'), JSON.stringify(own))
    await writeFile(join(folder, 'index.html'), '<!doctype html><script type="module" src="main.js"></script>')
    const parcel = fileURLToPath(new URL('node_modules/parcel/lib/bin.js', import.meta.url))
    await ran(folder, process.execPath, [parcel, 'build', 'index.html', '--dist-dir', 'out', '--no-source-maps'], { ...plainEnv, NODE_ENV: 'production' })
    const [script = ''] = (await readdir(join(folder, 'out'))).filter((file) => file.endsWith('.js'))
    await posts(t, folder, join('out', script))
  })
}
