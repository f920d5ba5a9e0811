import { createHash } from 'node:crypto'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

interface ScriptCoverage { readonly url: string, readonly functions: unknown }
interface SourceMapEntry { readonly lineLengths: readonly number[] }

/** A coverage file of V8. Node.js docs, "Coverage output". */
interface ProcessCoverage {
  readonly result: ScriptCoverage[]
  readonly 'source-map-cache'?: Record<string, SourceMapEntry>
}

// Rewrites the coverage files of a test run, so that a report adds up the right code. The loader of tap and tsx compile a
// source differently, under one URL, and c8 adds up the byte ranges of a URL before it maps them to the source. Therefore
// each compiled version of a script gets a URL of its own. Its source map still names the source. Scripts outside of the
// given folders are removed.
// Usage: node --import tsx separate-coverage.ts COVERAGE_FOLDER FOLDER...

const [folder = '', ...covered] = process.argv.slice(2)
const starts = covered.map((path) => `${pathToFileURL(path).href}/`)

/** Hashes of the compiled versions of each script, by URL. */
const versions = new Map<string, string[]>()

/** Returns the URL of a compiled version. The first one keeps the URL of the script. */
function versionUrl (url: string, map: SourceMapEntry | undefined): string {
  const hash = createHash('sha256').update(JSON.stringify(map?.lineLengths ?? null)).digest('hex')
  const known = versions.get(url) ?? []
  if (!known.includes(hash)) versions.set(url, [...known, hash])
  const number = versions.get(url)!.indexOf(hash)
  return number === 0 ? url : url.replace(/[^/]+$/, `version-${number}/$&`)
}

for (const name of readdirSync(folder).sort()) {
  const file = join(folder, name)
  const { result, 'source-map-cache': maps = {} } = JSON.parse(readFileSync(file, 'utf8')) as ProcessCoverage
  const separated: ProcessCoverage = { result: [], 'source-map-cache': {} }
  for (const script of result) {
    if (!starts.some((start) => script.url.startsWith(start))) continue
    const map = maps[script.url]
    const url = versionUrl(script.url, map)
    separated.result.push({ ...script, url })
    if (map !== undefined) separated['source-map-cache']![url] = map
  }
  writeFileSync(file, JSON.stringify(separated))
}
