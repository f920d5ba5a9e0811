import t, { type Test } from 'tap'
import { Registry } from 'prom-client'
import { BOUNDS } from '../../src/bounds.ts'
import * as errors from '../../src/errors.ts'
import type { Limits } from '../../src/options.ts'
import { CloseCode, ErrorCode, isTerminal } from '../../src/protocol.ts'
import { resolveOptions } from '../../src/settings.ts'
import { build } from '../support/app.ts'
import { namesIn, read, tableUnder } from '../support/markdown.ts'
import { propertiesOf } from '../support/public-types.ts'

const types = propertiesOf({
  FastifyChatOptions: 'options.ts',
  EchoOptions: 'options.ts',
  ChatOptions: 'options.ts',
  Limits: 'options.ts',
  ChatClientOptions: 'client/options.ts',
  IndexedDBPostsOptions: 'client/indexeddb/index.ts',
  UseRoomResult: 'react/use-room.ts',
  MemoryOptions: 'drivers/memory/backend.ts',
  LmdbOptions: 'drivers/lmdb/backend.ts',
  RedisOptions: 'drivers/redis/backend.ts'
})

const settings = resolveOptions({}, BOUNDS)

/** Compares the names of a table's first column with the properties of an interface. */
function sameNames (t: Test, rows: string[][], properties: Iterable<string>): void {
  t.strictSame(rows.flatMap(([names]) => namesIn(names)).sort(), [...properties].sort())
}

/** Returns the default at the end of a comment, if it is a number with or without a unit. */
function defaultOf (comment = ''): string | undefined {
  return /; (-?[\d,]+(?: (?:s|ms|min|h|days|KiB|MiB|GiB))?)$/.exec(comment)?.[1]
}

t.test('API.md has every option, with its default', async (t) => {
  const rows = tableUnder('docs/API.md', 'Options')
  const parts = (name: string) => [...types[name]!.keys()]
  sameNames(t, rows, [
    // Fastify's own.
    ...['prefix', 'logLevel', 'logSerializers'],
    ...parts('FastifyChatOptions'),
    ...parts('EchoOptions').map((name) => `echo.${name}`),
    ...parts('ChatOptions').map((name) => `chat.${name}`)
  ])
  for (const [name = '', cell = ''] of rows) {
    const [written] = namesIn(cell)
    if (written === undefined || written.endsWith('()')) continue
    const [option] = namesIn(name)
    const value = option!.split('.').reduce<unknown>((within, key) => (within as Record<string, unknown>)[key], settings)
    t.equal(JSON.stringify(value), written.replaceAll("'", '"').replaceAll('_', ''), option!)
  }
})

t.test('API.md has every limit, with its default', async (t) => {
  const rows = tableUnder('docs/API.md', 'Limits')
  sameNames(t, rows, types['Limits']!.keys())
  for (const [name = '', cell = ''] of rows) {
    const [limit] = namesIn(name) as [keyof Limits]
    t.equal(cell === 'none' ? Infinity : Number(cell.replaceAll(',', '')), settings.limits[limit], limit)
  }
})

t.test('API.md has every error, with its class and its status', async (t) => {
  const headings = ['Errors at register', 'Errors of an upgrade', 'Errors of a request or a call', 'Errors of a backend']
  const rows = headings.flatMap((heading) => tableUnder('docs/API.md', heading))
  const documented = rows.map(([code, name, status]) => ({ code: namesIn(code)[0], name: namesIn(name)[0], status: Number(status) }))
  const declared = Object.entries(errors).flatMap(([name, value]) => {
    if (typeof value !== 'function' || !(value.prototype instanceof Error)) return []
    const { code, statusCode } = new (value as new () => Error & { code: string, statusCode: number })()
    return [{ code, name, status: statusCode }]
  })
  const byCode = (rows: Array<{ code: string | undefined }>) => rows.sort((a, b) => `${a.code}`.localeCompare(`${b.code}`))
  t.strictSame(byCode(documented), byCode(declared))
})

t.test('API.md has every close code, and whether a client reconnects', async (t) => {
  const rows = tableUnder('docs/API.md', 'Close codes')
  t.strictSame(rows.map(([code]) => Number(code)), Object.values(CloseCode).sort((a, b) => a - b))
  for (const [code, , reconnects = ''] of rows) t.equal(!/^yes\b/.test(reconnects), isTerminal(Number(code)), code!)
})

t.test('the tables of limits and attacks have documented close codes and statuses only', async (t) => {
  const known = new Set([
    ...Object.values<number>(CloseCode),
    ...Object.values(errors).map((ErrorClass) => new ErrorClass('', '', '').statusCode),
    // The code of a connection without a close frame, and the status of Node for an unfinished request.
    1006, 408
  ])
  const tables = [
    ['docs/API.md', 'Limits'], ['docs/PROTOCOL.md', '17. Limits'], ['docs/SECURITY.md', 'Before the upgrade'], ['docs/SECURITY.md', 'Identity'], ['docs/SECURITY.md', 'On the wire']
  ] as const
  const named = tables.flatMap(([file, heading]) => tableUnder(file, heading)).flatMap((row) => [...row.at(-1)!.matchAll(/(?<![\d,.])\d{3,4}(?![\d,])/g)])
  t.ok(named.length > 40, `${named.length} codes`)
  for (const [code] of named) t.ok(known.has(Number(code)), code)
})

t.test('CLIENT.md has every option of the client, with its default', async (t) => {
  const rows = tableUnder('docs/CLIENT.md', 'Options')
  sameNames(t, rows, types['ChatClientOptions']!.keys())
  for (const [name = '', cell = ''] of rows) {
    const ms = defaultOf(types['ChatClientOptions']!.get(namesIn(name)[0]!))?.replace(/ ms$/, '').replace(/ s$/, ',000')
    if (ms !== undefined) t.equal(cell, ms, name)
  }
})

t.test('CLIENT.md has every option of indexedDBPosts, with its default', async (t) => {
  const rows = tableUnder('docs/CLIENT.md', 'Saved posts')
  const options = types['IndexedDBPostsOptions']!
  sameNames(t, rows, options.keys())
  for (const [name = '', cell = ''] of rows) {
    const value = defaultOf(options.get(namesIn(name)[0]!))
    if (value !== undefined) t.equal(cell, value, name)
  }
})

t.test('REACT.md has every property of the result of useRoom', async (t) => {
  sameNames(t, tableUnder('docs/REACT.md', 'A room'), types['UseRoomResult']!.keys())
})

t.test("CLIENT.md has no code of the server among the client's own, except 'invalid'", async (t) => {
  const own = tableUnder('docs/CLIENT.md', 'Rooms').flatMap(([cell]) => namesIn(cell)).filter((name) => /^[a-z_]+$/.test(name))
  const shared = own.filter((name) => (Object.values(ErrorCode) as string[]).includes(name))
  t.strictSame(shared, ['invalid'])
})

for (const [heading, name, at] of [['Memory', 'MemoryOptions', 0], ['LMDB', 'LmdbOptions', 1], ['Redis', 'RedisOptions', 2]] as const) {
  t.test(`BACKENDS.md has every option of ${heading}, with its default`, async (t) => {
    const isOption = ([cell = '']: string[]) => /^`\w+`$/.test(cell)
    const history = tableUnder('docs/BACKENDS.md', 'History bounds').filter(isOption)
    const own = tableUnder('docs/BACKENDS.md', heading).filter(isOption)
    sameNames(t, [...history, ...own], types[name]!.keys())
    for (const [cell = '', written = ''] of [...history, ...own]) {
      const standard = defaultOf(types[name]!.get(namesIn(cell)[0]!))
      if (standard === undefined) continue
      // In the table of all backends: 'memory 256 MiB, LMDB 1 GiB, …', or the same for all.
      const parts = written.split(/, (?=LMDB|Redis)/)
      t.match((parts[at] ?? parts.at(-1)!).replaceAll(/ and Redis/g, ''), standard, cell)
    }
  })
}

t.test('OBSERVABILITY.md has every reason of a disconnect', async (t) => {
  const [, faults = ''] = /type Fault =([^]*?)\n\n/.exec(read('src/connection/close-reason.ts')) ?? []
  // The server closes with 1000 never, with 1001 while it is stopping, and with 1008 for a fault only.
  const codes = Object.keys(CloseCode).filter((name) => !['normal', 'goingAway', 'policy'].includes(name))
  const labels = codes.map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))
  const rows = tableUnder('docs/OBSERVABILITY.md', 'Disconnects').map(([cell]) => namesIn(cell))
  t.strictSame(rows.flat().sort(), [...faults.matchAll(/'(\w+)'/g)].map(([, name]) => name!).concat(labels).sort())
})

t.test('OBSERVABILITY.md has every metric and every counter', async (t) => {
  const metrics = new Registry()
  const app = await build(t, { metrics })
  const rows = tableUnder('docs/OBSERVABILITY.md', 'Metrics and health').filter(([cell = '']) => cell.startsWith('`fastify_chat_'))
  t.strictSame(rows.map(([cell]) => namesIn(cell)[0]!.replace(/{.*/, '')).sort(), metrics.getMetricsAsArray().map(({ name }) => name).sort())
  t.strictSame(rows.flatMap(([, cell]) => namesIn(cell)).sort(), Object.keys(app.chat.stats()).sort())
})
