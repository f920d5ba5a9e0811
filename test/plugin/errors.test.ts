import t from 'tap'
import { meaningOf } from '../../src/error-meaning.ts'
import { errors } from '../../src/index.ts'
import { CloseCode, ErrorCode, isRetryable } from '../../src/protocol.ts'
import { chat } from '../support/chat-app.ts'
import { backendWith } from '../support/backend.ts'

const declared = Object.entries(errors).map(([name, ErrorClass]) => ({ name, error: new ErrorClass('x', 'y', 'z'), meaning: ErrorClass.meaning }))

t.test('every exported error declares what it means', async (t) => {
  t.equal(new Set(declared.map(({ error }) => error.code)).size, declared.length, 'each code is unique')
  for (const { name, error, meaning } of declared) {
    t.equal(meaningOf(error), meaning, name)
    t.match(error.code, /^FST_CHAT_[A-Z_]+$/, name)
    t.ok(error.statusCode >= 400 && error.statusCode < 600, `${name} has an HTTP status`)
    t.notMatch(error.message, /%s/, `${name} has at most three arguments`)
  }
})

t.test('every failure has a retryable wire code, and no error of usage has one', async (t) => {
  for (const { name, meaning } of declared) {
    if (meaning.kind === 'failure') t.ok(isRetryable(meaning.wireCode!), name)
    if (meaning.kind === 'usage') t.notOk(isRetryable(meaning.wireCode ?? ''), name)
    if (meaning.closeCode !== undefined) t.ok(Object.values<number>(CloseCode).includes(meaning.closeCode), name)
  }
})

t.test('an error has the status 429 or 503 if and only if it is retryable', async (t) => {
  for (const { name, error: { statusCode }, meaning } of declared) {
    t.equal([429, 503].includes(statusCode), meaning.retryable === true, `${name}: ${statusCode}`)
  }
})

t.test('every wire code is declared by an error, except those of the wire itself', async (t) => {
  const used = new Set(declared.map(({ meaning }) => meaning.wireCode))
  t.strictSame(Object.values(ErrorCode).filter((code) => !used.has(code)), [ErrorCode.hello, ErrorCode.rateLimited])
})

t.test('only an Error with a declared code has a meaning', async (t) => {
  t.equal(meaningOf(Object.assign(new Error('x'), { code: 'FST_CHAT_BUSY' })), errors.StoreBusy.meaning)
  t.equal(meaningOf(Object.assign(new Error('x'), { code: 'ENOENT' })), undefined)
  for (const thrown of [new Error('x'), { code: 'FST_CHAT_BUSY' }, 'FST_CHAT_BUSY', null, undefined]) t.equal(meaningOf(thrown), undefined)
})

const failures = declared.filter(({ meaning }) => meaning.kind === 'failure')

for (const { name, error, meaning } of failures) {
  t.test(`a store that rejects with the code of ${name} is counted, and the member receives its wire code`, async (t) => {
    const own = Object.assign(new Error('down'), { code: error.code })
    const { app, member } = await chat(t, { backend: backendWith(() => ({ append: () => Promise.reject(own) })) })
    const ada = await member({}, 'lobby')
    t.match(await ada.refused({ type: 'post', room: 'lobby', id: 'i', text: 'x' }), { code: meaning.wireCode, message: 'down' })
    t.strictSame(app.chat.stats().storeErrors, { [error.code]: 1 })
  })
}
