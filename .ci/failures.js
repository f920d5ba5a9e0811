// Prints what failed in the logs of test runs, so that the end of a CI log shows it. Arguments: the logs.
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

/** Lines printed of one failure's diagnostics, of the diagnostics of all failures, and of a log without failed assertions. */
const [DIAGNOSTICS, ALL, TAIL] = [40, 200, 60]

/** Returns the failed assertions of a TAP log: the titles from the file to the assertion, and its diagnostics. */
function failures (lines) {
  const found = []
  /** The open subtests, outermost first. */
  let open = []
  for (let i = 0; i < lines.length; i++) {
    const [, indent, kind, rest] = /^((?: {4})*)(# Subtest: |not ok \d+ ?|ok \d+ ?)(.*)$/.exec(lines[i]) ?? []
    if (indent === undefined) continue
    const depth = indent.length / 4
    const title = rest.replace(/^- /, '').replace(/ # time=[\d.]+ms$/, '')
    if (kind.startsWith('#')) {
      open = [...open.slice(0, depth), { title, failures: found.length }]
      continue
    }
    const diagnostics = block(lines, i + 1, indent)
    i += diagnostics.length
    const ended = open[depth]?.title === title ? open[depth] : undefined
    open = open.slice(0, depth)
    if (kind.startsWith('ok') || / # (TODO|SKIP)\b/.test(title)) continue
    // A subtest fails with its assertions, or for itself: for example when it timed out.
    if (ended === undefined || ended.failures === found.length) found.push({ path: [...open, { title }].map(({ title }) => title), diagnostics })
  }
  return found
}

/** Returns the lines of the YAML block that begins at a line, none if there is no block. */
function block (lines, from, indent) {
  if (lines[from] !== `${indent}  ---`) return []
  const end = lines.indexOf(`${indent}  ...`, from)
  return lines.slice(from, end === -1 ? undefined : end + 1)
}

/** Returns the first lines that aren't blank, and a line with the number of those left out. */
function cut (lines, most) {
  const written = lines.filter((line) => line.trim() !== '')
  return written.length <= most ? written : [...written.slice(0, most), `(${written.length - most} more lines)`]
}

const logs = process.argv.slice(2).map((log) => {
  const lines = stripVTControlCharacters(readFileSync(log, 'utf8')).split('\n')
  return { log, lines, found: failures(lines) }
})
const count = logs.reduce((sum, { found }) => sum + found.length, 0)
for (const { log, lines, found } of logs) {
  for (const { path, diagnostics } of found) {
    console.log(['', `not ok: ${path.join(' > ')}`, ...cut(diagnostics, Math.min(DIAGNOSTICS, Math.floor(ALL / count)))].join('\n'))
  }
  if (found.length === 0) console.log(['', `The end of the log ${basename(log)}, which has no failed assertion:`, ...lines.slice(-TAIL)].join('\n'))
}
