import t from 'tap'
import { invalidNames, validNames } from '../../conformance/member-names.ts'
import { checkName } from '../../src/member-name.ts'
import { chat } from '../support/chat-app.ts'
import { chatClient, state } from '../support/chat-client.ts'
import { full } from '../support/full.ts'
import { refused } from '../support/websocket-client.ts'

const given = validNames.filter(([, name]) => name !== '')

const character = (code: string) => new RegExp(`must not contain U\\+${code}: control, invisible`)
const stray = (code: string) => new RegExp(`must not contain U\\+${code} where it joins or selects nothing`)
const length = /must have at most 32 grapheme clusters and 128 code points/
const visible = /must contain a letter, a digit, a symbol or an emoji/

/** By the reason in the table: the rule that the error states. */
const rules: Record<string, RegExp> = {
  'only spaces': visible,
  'only a mark': visible,
  '33 letters': length,
  '33 emoji': length,
  'more than 32 letters in NFKC': length,
  'more than 128 code points in NFKC': length,
  'a line feed': character('000A'),
  'a right-to-left override': character('202E'),
  'a Hangul filler': character('1160'),
  'a blank braille pattern': character('2800'),
  'a private-use character': character('E000'),
  'an unassigned character': character('0378'),
  'a joiner between letters': stray('200D'),
  'a non-joiner between letters': stray('200C'),
  'a variation selector after a letter': stray('FE0F'),
  'a tag': stray('E0041'),
  'a combining mark at the start': /must not begin with a combining mark/
}

/** Returns the rule that an invalid name breaks. */
const ruleOf = (name: string) => checkName(name).problem!

/** Returns the text of the v1 error for an invalid name. The schema of `hello` rejects the longest ones. */
const messageOf = (name: string) => `/name ${[...name].length > 128 ? 'must not have more than 128 characters' : ruleOf(name)}`

t.test('the table has 60 valid names in 20 scripts, and 30 invalid ones', async (t) => {
  const scripts = new Set<string>()
  for (const [kind, name] of validNames) {
    if (!/^[A-Z]/.test(kind)) continue
    t.match(name.normalize('NFKC'), new RegExp(`\\p{Script=${kind}}`, 'u'), name)
    scripts.add(kind)
  }
  t.ok(given.length >= 60 && scripts.size >= 20 && invalidNames.length >= 30)
  t.ok(Object.keys(rules).every((reason) => invalidNames.some(([other]) => reason === other)))
})

for (const [kind, name, normalised = name] of given) {
  t.test(`${kind}: ${JSON.stringify(name)} is valid`, async (t) => {
    t.same(checkName(name), { name: normalised })
    t.same(checkName(normalised), { name: normalised }, 'the result is unchanged the second time')
    t.equal(normalised.normalize('NFKC'), normalised)
  })
}

t.test('an invalid name is rejected with the rule that it breaks', async (t) => {
  for (const [reason, name] of invalidNames) t.match(checkName(name), { name: undefined, problem: rules[reason] ?? /^must / }, reason)
})

t.test('a name with any one code point is in NFKC and unchanged the second time, or invalid', async (t) => {
  // Few code points of the later planes are assigned.
  const last = full(0x10ffff, 0x1ffff)
  const changed: string[] = []
  for (let code = 0; code <= last; code++) {
    for (const given of [String.fromCodePoint(code), `x${String.fromCodePoint(code)}`]) {
      const { name } = checkName(given)
      if (name !== undefined && (checkName(name).name !== name || name.normalize('NFKC') !== name)) changed.push(given)
    }
  }
  t.same(changed, [])
})

t.test('an emoji of a later Unicode version is valid', async (t) => {
  const reserved = '\u{1faff}'
  t.match(reserved, /^\p{Extended_Pictographic}$/u)
  t.same(checkName(reserved), { name: reserved })
})

t.test('without Intl.Segmenter, grapheme clusters are not counted, and code points are', async (t) => {
  t.intercept(Intl, 'Segmenter', { value: undefined })
  const many = '🦊'.repeat(33)
  t.same(checkName(many), { name: many })
  t.match(checkName('🦊'.repeat(129)).problem, length)
  t.match(checkName('a\u200db').problem, stray('200D'))
})

t.test('a v1 client is welcomed under the normalised name', async (t) => {
  const { tcp } = await chat(t)
  for (const [, name, normalised = name] of validNames) {
    const client = await tcp()
    t.equal((await client.hello({ name })).member.name, normalised, name)
    client.socket.terminate()
  }
})

t.test('a v1 client receives the rule that its name breaks, and may send another', async (t) => {
  const { tcp } = await chat(t)
  for (const [reason, name] of invalidNames) {
    const client = await tcp()
    t.match(await client.refused({ type: 'hello', name }), { code: 'invalid', message: messageOf(name) }, reason)
    t.equal((await client.hello({ name: 'ada' })).member.name, 'ada')
    client.socket.terminate()
  }
})

t.test('a plain client posts under the normalised name', async (t) => {
  const { plain } = await chat(t)
  for (const [, name, normalised = name] of given) {
    const client = await plain(`?self=1&name=${encodeURIComponent(name)}`)
    client.socket.send('x')
    t.equal(await client.next(), `${normalised}: x`)
    client.socket.terminate()
  }
})

t.test('a plain client is refused with 400 and the rule that its name breaks', async (t) => {
  const { port } = await chat(t)
  for (const [reason, name] of invalidNames) {
    const { status, body } = await refused(`ws://127.0.0.1:${port}/chat?name=${encodeURIComponent(name)}`)
    t.match({ status, ...JSON.parse(body) as object }, { status: 400, code: 'FST_CHAT_INVALID_QUERY', message: `query parameter 'name' ${ruleOf(name)}` }, reason)
  }
})

t.test('ChatClient is online under the normalised name', async (t) => {
  const { port } = await chat(t)
  for (const [, name, normalised = name] of validNames) {
    const client = chatClient(t, port, { name })
    t.equal((await state(client, 'online')).member.name, normalised, name)
    client.close()
  }
})

t.test('ChatClient closes with 4400 and the rule that its name breaks', async (t) => {
  const { port } = await chat(t)
  for (const [reason, name] of invalidNames) {
    t.strictSame(await state(chatClient(t, port, { name }), 'closed'), { state: 'closed', code: 4400, reason: messageOf(name) }, reason)
  }
})

t.test('a name that authenticate returns is normalised, and an invalid one closes with 1011', async (t) => {
  let name = ''
  const { app, tcp } = await chat(t, { authenticate: () => ({ id: 'ada', name }) })
  for (const [, each, normalised = each] of validNames) {
    name = each
    const client = await tcp()
    t.strictSame((await client.hello()).member, { id: 'ada', name: normalised })
    client.socket.terminate()
  }
  for (const [reason, each] of invalidNames) {
    name = each
    const client = await tcp()
    client.say({ type: 'hello' })
    t.match(await client.closed, { code: 1011 }, reason)
  }
  const logged = app.lines.find(({ msg }) => msg === 'the handler of a connection failed')
  t.match(logged, { err: { code: 'FST_CHAT_HOOK_FAILED', message: `'name', which ${ruleOf(invalidNames[0]![1])}` } })
})

t.test('the name of a sender in publish is normalised, and an invalid one is a coded error', async (t) => {
  const { app, member } = await chat(t)
  const client = await member({}, 'a')
  for (const [, name, normalised = name] of validNames) {
    await app.chat.publish('a', { text: 'x', from: { id: 'bot', name } })
    t.strictSame((await client.expect('message')).from, { id: 'bot', name: normalised })
  }
  for (const [reason, name] of invalidNames) {
    const message = `'publication.from.name' ${ruleOf(name)}`
    await t.rejects(app.chat.publish('a', { text: 'x', from: { id: 'bot', name } }), { code: 'FST_CHAT_INVALID_ARGUMENT', message }, reason)
  }
  t.match(await app.chat.history('a', { limit: 1_000 }), { entries: { length: given.length + 1 } }, 'nothing is stored under an invalid name')
})
