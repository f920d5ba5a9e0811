import { gzipSync } from 'node:zlib'
import { join } from 'node:path'
import { build } from 'esbuild'
import t from 'tap'
import { dist } from '../support/compiled.ts'

/** bytes. The goal is 12 kB; the timeline takes 2.3 kB. */
const LIMIT = 14_600

t.test(`the client for browsers, minified and gzipped, has at most ${LIMIT} bytes`, async (t) => {
  const { outputFiles: [bundle] } = await build({
    entryPoints: [join(dist, 'client/index.js')],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    write: false,
    logLevel: 'error'
  })
  const bytes = gzipSync(bundle!.contents, { level: 9 }).length
  t.comment(`${bytes} bytes`)
  t.ok(bytes <= LIMIT, `${bytes} bytes: npx esbuild dist/client/index.js --bundle --minify --analyze shows what each file takes`)
})
