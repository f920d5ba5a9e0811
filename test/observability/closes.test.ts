import { Registry } from 'prom-client'
import t from 'tap'
import { CloseCode } from '../../src/protocol.ts'
import { logged } from '../support/app.ts'
import { chat } from '../support/chat-app.ts'
import { namesIn, read, tableUnder } from '../support/markdown.ts'
import { samples } from '../support/metric-samples.ts'
import { closeCases } from './close-cases.ts'

const OBSERVABILITY = 'docs/OBSERVABILITY.md'

/** A row of the table of disconnects. reasons: as the client receives them, with '…' for other text. */
interface Documented { readonly code: number, readonly isTerminated: boolean, readonly reasons: readonly string[], readonly options: readonly string[] }

const disconnects = new Map(tableUnder(OBSERVABILITY, 'Disconnects').map(([label, code = '', reasons, options]): [string, Documented] => [
  namesIn(label)[0]!,
  { code: parseInt(code), isTerminated: code.includes('terminated'), reasons: namesIn(reasons), options: namesIn(options) }
]))
/** Log levels of Fastify by message, as documented. */
const levels = new Map(tableUnder(OBSERVABILITY, 'Logs').map(([message, level]) => [namesIn(message)[0]!, { info: 30, warn: 40, error: 50 }[level!]]))

function matches (pattern: string, text: string): boolean {
  const [start = '', ...rest] = pattern.split('…')
  return rest.length === 0 ? text === pattern : text.startsWith(start) && text.endsWith(rest.at(-1)!)
}

const provoked = new Map<string | undefined, string[]>()
const limits = new Map<string | undefined, Set<string>>()
const codes = new Set<number>()

for (const [title, { label, option, options = {}, bounds, isMember, isFault, provoke }] of Object.entries(closeCases)) {
  t.test(`${title}: the close has a reason, a log line and a counter`, async (t) => {
    const metrics = new Registry()
    const server = await chat(t, { ...options, metrics }, bounds)
    const { app } = server
    const close = await provoke(t, server)
    const line = await logged(app, 'websocket closed')
    const counts = app.chat.stats().disconnects
    const scrape = samples(await metrics.metrics())
    const { code, reason } = line as unknown as { code: number, reason: string }
    provoked.set(label, [...provoked.get(label) ?? [], reason])
    codes.add(code)
    if (option !== undefined) limits.set(label, new Set([...limits.get(label) ?? [], ...option.split(', ')]))

    t.not(reason, '', 'the reason is not empty')
    t.strictSame(close, close.code === 1006 ? { code: 1006, reason: '' } : { code, reason }, 'the client receives what is logged')
    t.match(line, { level: levels.get('websocket closed'), reqId: String, address: '127.0.0.1', path: title.includes('echo') ? '/echo' : '/chat' })
    t.equal(line['option'], option, 'the option that sets the limit')
    if (isMember) t.match(line, { member: /./ })
    const faults = app.lines.filter(({ level }) => level >= 50)
    if (isFault) t.match(faults, [{ level: levels.get('the handler of a connection failed'), msg: 'the handler of a connection failed', reqId: String, err: { message: /./ } }])
    else t.strictSame(faults, [], 'nothing is logged as a fault of the app')
    t.equal(app.lines.filter(({ msg }) => msg === 'websocket closed').length, 1)

    if (label === undefined) {
      t.strictSame(counts, {})
      return
    }
    const documented = disconnects.get(label)!
    t.equal(code, documented.code)
    t.equal(close.code === 1006, documented.isTerminated, 'terminated, as documented')
    t.ok(documented.reasons.some((pattern) => matches(pattern, reason)), `${reason} is documented`)
    t.strictSame(counts, { [label]: 1 })
    t.equal(scrape[`fastify_chat_disconnects_total{chat="/",reason="${label}"}`], 1)
  })
}

t.test('the cases have every reason of OBSERVABILITY.md', async (t) => {
  t.strictSame([...provoked.keys()].filter((label) => label !== undefined).sort(), [...disconnects.keys()].sort())
  for (const [label, { reasons }] of disconnects) {
    for (const pattern of reasons) t.ok(provoked.get(label)!.some((reason) => matches(pattern, reason)), `${label}: ${pattern}`)
  }
  for (const [label, { options }] of disconnects) t.strictSame([...limits.get(label) ?? []].sort(), [...options].sort(), `the options of ${label}`)
  const uncounted = new Set(provoked.get(undefined)!.filter((reason) => reason !== 'enough'))
  t.strictSame([...uncounted], ['the server is stopping'])
  for (const reason of uncounted) t.ok(read(OBSERVABILITY).includes(`\`${reason}\``), reason)
})

t.test('the cases have every close code of the documents, and the server sends no other', async (t) => {
  const documented = [tableUnder('docs/PROTOCOL.md', '14.1 Close codes'), tableUnder('docs/API.md', 'Close codes')]
  for (const rows of documented) t.strictSame(rows.map(([code]) => Number(code)), [...codes].sort((a, b) => a - b))
  t.strictSame(Object.values(CloseCode).sort((a, b) => a - b), [...codes].sort((a, b) => a - b))
})
