import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// Hooks of Node's module loader, which compile TypeScript with esbuild. Each version of a file is compiled once.
// Node.js docs, "Customization Hooks".

const checkout = new URL('../../', import.meta.url)
const { compilerOptions: { paths } } = JSON.parse(readFileSync(new URL('tsconfig.json', checkout), 'utf8'))
const { version } = JSON.parse(readFileSync(new URL('node_modules/esbuild/package.json', checkout), 'utf8'))
const cache = new URL(`.tap/typescript/${version}/`, checkout)
mkdirSync(cache, { recursive: true })

/** Resolves this package to its sources, as the compiler does. */
export function resolve (specifier, context, next) {
  const [source] = paths[specifier] ?? []
  const own = source !== undefined && context.parentURL?.startsWith(checkout.href) && !context.parentURL.includes('/node_modules/')
  return own ? next(new URL(source, checkout).href, context) : next(specifier, context)
}

export async function load (url, context, next) {
  const path = url.replace(/[?#].*/, '')
  if (!path.endsWith('.ts')) return next(url, context)
  const file = fileURLToPath(path)
  return { format: 'module', source: await compiled(file, readFileSync(file, 'utf8')), shortCircuit: true }
}

async function compiled (file, source) {
  const copy = new URL(createHash('sha256').update(file).update(source).digest('hex'), cache)
  try {
    return readFileSync(copy, 'utf8')
  } catch {
    const { transform } = await import('esbuild')
    const { code } = await transform(source, {
      loader: 'ts',
      sourcefile: file,
      sourcemap: 'inline',
      sourcesContent: false,
      target: `node${process.versions.node}`,
      tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } }
    })
    // Another process may compile the same file at the same time.
    const written = new URL(`${copy.href}.${process.pid}`)
    writeFileSync(written, code)
    renameSync(written, copy)
    return code
  }
}
