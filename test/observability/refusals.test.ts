import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { ErrorCode } from '../../src/protocol.ts'
import { logged, type App } from '../support/app.ts'
import { chat } from '../support/chat-app.ts'
import { namesIn, tableUnder } from '../support/markdown.ts'
import { samples } from '../support/metric-samples.ts'
import { requestCases, upgradeCases } from './refusal-cases.ts'

const WARN = 40

/** Asserts that the refusal has one log line and is counted once. Resolves with the line. */
async function assertLogged (t: Test, app: App, metrics: Registry, reason: string, option: string | undefined) {
  const line = await logged(app, 'refused')
  t.match(line, { level: WARN, reason, message: /./, address: '127.0.0.1' })
  t.equal(line['option'], option, 'the option that sets the limit')
  t.strictSame(app.lines.filter(({ level }) => level >= WARN), [line])
  t.strictSame(app.chat.stats().refusals, { [reason]: 1 })
  t.equal(samples(await metrics.metrics())[`fastify_chat_refusals_total{chat="/",reason="${reason}"}`], 1)
  return line
}

for (const [title, { code, status, option, isRouted, line, options = {}, prepare, provoke }] of Object.entries(upgradeCases)) {
  t.test(`${title} gets ${status}, a log line and a counter`, async (t) => {
    const metrics = new Registry()
    const server = await chat(t, { ...options, metrics }, {}, prepare)
    const { app } = server
    t.strictSame(await provoke(t, server), { status, code })
    if (line !== undefined) {
      await logged(app, line)
      t.strictSame(app.chat.stats().refusals, {}, 'a refusal by the app is not counted')
    } else {
      t.match(await assertLogged(t, app, metrics, code!, option), { path: /^\/[^?]*$/, reqId: isRouted ? String : undefined })
    }
  })
}

for (const [title, { code, option, isFailure, options = {}, provoke }] of Object.entries(requestCases)) {
  t.test(`${title} is answered with ${code}, and has a log line and a counter`, async (t) => {
    const metrics = new Registry()
    const server = await chat(t, { ...options, metrics })
    const error = await provoke(t, server)
    const line = await assertLogged(t, server.app, metrics, code, option)
    t.match(line, { reqId: String, member: /hello|name|JSON/.test(title) ? undefined : String, err: isFailure ? { message: 'down' } : undefined })
    if (error !== undefined) t.match(error, { code, message: line['message'] })
  })
}

t.test('the cases have every status and code of a refused upgrade in the documents', async (t) => {
  const cases = Object.values(upgradeCases)
  const statuses = tableUnder('docs/PROTOCOL.md', '2.4 Refusal by HTTP').flatMap(([cell = '']) => cell.split(', ').map(Number))
  const errors = tableUnder('docs/API.md', 'Errors of an upgrade').map(([code, , status]) => `${namesIn(code)[0]} ${status}`)
  t.strictSame([...new Set(cases.flatMap(({ code, status }) => code === undefined ? [] : `${code} ${status}`))].sort(), errors.sort())
  t.strictSame(statuses.filter((status) => !cases.some((each) => each.status === status)), [])
})

t.test('the cases have every error code of the protocol', async (t) => {
  const codes = new Set(Object.values(requestCases).map(({ code }) => code))
  t.strictSame([...codes].sort(), tableUnder('docs/PROTOCOL.md', '13. Errors').flatMap(([cell]) => namesIn(cell)).sort())
  t.strictSame([...codes].sort(), Object.values<string>(ErrorCode).sort())
})
