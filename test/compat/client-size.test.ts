import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import t from 'tap'

/** Maximum bytes of the client in a browser, minified and compressed. */
const MAX_BYTES = 12_288

t.test(`a bundle of the client for browsers has at most ${MAX_BYTES} bytes`, async (t) => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('../../src/client/index.ts', import.meta.url))],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    external: ['ws']
  })
  const { length } = gzipSync(outputFiles[0]!.contents, { level: 9 })
  t.comment(`${length} bytes`)
  t.ok(length <= MAX_BYTES, `${length} bytes`)
})
