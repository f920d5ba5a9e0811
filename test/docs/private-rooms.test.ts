import t, { type Test } from 'tap'
import { example, type Example } from '../support/example.ts'
import { protocol, texts, V1Client } from '../support/v1-client.ts'
import { open, refused } from '../support/websocket-client.ts'

/** A person who has signed in to the example. */
class Person {
  readonly #t: Test
  readonly #host: string
  readonly headers: Record<string, string>
  readonly #token: string | undefined

  constructor (t: Test, host: string, headers: Record<string, string>, token?: string) {
    this.#t = t
    this.#host = host
    this.headers = headers
    this.#token = token
  }

  /** Sends a request. Resolves with the status and the body. */
  async http (method: string, path: string, body?: object): Promise<{ status: number, body: any }> {
    const json = body && { headers: { ...this.headers, 'content-type': 'application/json' }, body: JSON.stringify(body) }
    const answer = await fetch(`http://${this.#host}${path}`, { method, headers: this.headers, ...json })
    return { status: answer.status, body: answer.status === 204 ? undefined : await answer.json() }
  }

  /** Opens a connection to the chat. */
  async connect (): Promise<V1Client> {
    const client = new V1Client(await open(this.#t, `ws://${this.#host}/chat`, { protocol, headers: this.headers }))
    await client.hello({ token: this.#token })
    return client
  }

  /** Creates a room, and resolves with its name. */
  async create (title = 'Tea'): Promise<string> {
    return (await this.http('POST', '/rooms', { title })).body.room
  }
}

async function signIn ({ host }: Example, name: string, { password = 'secret', cookie = '' } = {}): Promise<Response> {
  const headers = { 'content-type': 'application/json', cookie }
  return await fetch(`http://${host}/sign-in`, { method: 'POST', headers, body: JSON.stringify({ name, password }) })
}

const cookieOf = (answer: Response) => /^sessionId=[^;]+/.exec(answer.headers.get('set-cookie') ?? '')?.[0] ?? ''

/** How the tests sign in with each variant of the example. */
const variants = {
  async session (t: Test, server: Example, name: string) {
    return new Person(t, server.host, { cookie: cookieOf(await signIn(server, name)) })
  },
  async jwt (t: Test, server: Example, name: string) {
    const { token } = await (await signIn(server, name)).json() as { token: string }
    return new Person(t, server.host, { authorization: `Bearer ${token}` }, token)
  }
}

for (const auth of ['session', 'jwt'] as const) {
  /** Starts the example, and signs its people in. */
  const start = async (t: Test) => {
    const server = await example(t, 'private-rooms', { AUTH: auth })
    const [ada, bob, eve] = await Promise.all(['ada', 'bob', 'eve'].map((name) => variants[auth](t, server, name))) as [Person, Person, Person]
    return { server, ada, bob, eve }
  }

  t.test(`${auth}: members`, async (t) => {
    const { server, ada, bob, eve } = await start(t)

    t.test('requests and connections of strangers are refused', async (t) => {
      await server.logged(`${auth === 'jwt' ? 'JWT_SECRET' : 'SESSION_SECRET'} is not set: everybody is signed out when this process ends`)
      t.equal((await signIn(server, 'ada', { password: 'guess' })).status, 401)
      t.equal((await signIn(server, 'mallory')).status, 401)
      const stranger = new Person(t, server.host, { cookie: 'sessionId=forged.AAAA', authorization: 'Bearer forged' }, 'forged')
      const requests = [['GET', '/rooms'], ['GET', '/unread'], ['POST', '/rooms'], ['PUT', '/rooms/a/members/bob'], ['DELETE', '/rooms/a/members/bob'], ['PUT', '/direct/bob']] as const
      for (const [method, path] of requests) t.equal((await stranger.http(method, path)).status, 401, `${method} ${path}`)
      const { socket, closed } = await open(t, `ws://${server.host}/chat`, { protocol, headers: stranger.headers })
      socket.send(JSON.stringify({ type: 'hello', token: 'forged' }))
      t.match(await closed, { code: 4401 })
    })

    t.test("an invited member joins, and others can't join, read or post", async (t) => {
      const room = await ada.create()
      const [adaClient, bobClient, eveClient] = [await ada.connect(), await bob.connect(), await eve.connect()]
      await adaClient.join(room)
      await adaClient.posted(room, 'a secret')
      t.match(await bobClient.refused({ type: 'join', room }), { code: 'forbidden' }, 'not invited yet')

      t.equal((await ada.http('PUT', `/rooms/${room}/members/bob`)).status, 204)
      t.strictSame(await bobClient.expect('direct'), { type: 'direct', data: { invitedTo: room } })
      const joined = await bobClient.join(room)
      t.strictSame(texts(joined.messages), ['a secret'])
      await bobClient.posted(room, 'thank you')
      t.match(await adaClient.expect('message'), { text: 'thank you', from: { id: 'bob', name: 'bob' } })
      t.match(await bobClient.refused({ type: 'delete', room, position: joined.position, id: 'd' }), { code: 'forbidden' }, 'the message of another member')
      t.match((await bob.http('GET', '/rooms')).body, [{ room, title: 'Tea', owner: 'ada' }])

      t.match(await eveClient.refused({ type: 'join', room }), { code: 'forbidden' })
      for (const request of [{ type: 'post', text: 'hi', id: 'p' }, { type: 'history', before: joined.position, limit: 1 }]) {
        t.match(await eveClient.refused({ ...request, room }), { code: 'not_joined', request: request.type })
      }
      const plain = await open(t, `ws://${server.host}/chat?room=${room}`, { headers: eve.headers })
      t.match(await plain.closed, { code: 4403 })
      for (const method of ['PUT', 'DELETE']) {
        for (const [person, of] of [[eve, 'eve'], [eve, 'bob'], [bob, 'eve'], [bob, 'ada']] as const) {
          if (method === 'DELETE' && person === eve && of === 'eve') continue
          t.equal((await person.http(method, `/rooms/${room}/members/${of}`)).status, 404, `${method} ${of}`)
        }
      }
      t.equal((await ada.http('PUT', `/rooms/${room}/members/mallory`)).status, 404)
      t.strictSame((await eve.http('GET', '/rooms')).body, [])
      t.match(await eveClient.refused({ type: 'join', room }), { code: 'forbidden' }, 'still')
    })

    t.test("a removed member receives left and nothing after it, and can't come back", async (t) => {
      const room = await ada.create()
      await ada.http('PUT', `/rooms/${room}/members/bob`)
      const [adaClient, bobClient] = [await ada.connect(), await bob.connect()]
      await adaClient.join(room)
      await bobClient.join(room)
      const read = await bobClient.posted(room, 'hello')
      await adaClient.expect('message')

      t.equal((await ada.http('DELETE', `/rooms/${room}/members/bob`)).status, 204)
      await adaClient.posted(room, 'he is gone')
      bobClient.say({ type: 'ping', id: 'p' })
      t.match(await bobClient.expect('left'), { room, code: 'removed', message: 'you are no longer a member of this room' })
      t.match(await bobClient.next(), { type: 'pong', id: 'p' }, 'nothing of the room since')
      for (const client of [bobClient, await bob.connect()]) {
        t.match(await client.refused({ type: 'join', room, after: read }), { code: 'forbidden' })
        t.match(await client.refused({ type: 'post', room, text: 'hi', id: 'p' }), { code: 'not_joined' })
      }
      t.notOk((await bob.http('GET', '/rooms')).body.some((listed: { room: string }) => listed.room === room))

      await ada.http('PUT', `/rooms/${room}/members/bob`)
      await bobClient.expect('direct')
      t.strictSame(texts((await bobClient.join(room)).messages), ['hello', 'he is gone'], 'invited again')
      await adaClient.presence(({ joined }) => joined.some(({ id }) => id === 'bob'))
      t.equal((await bob.http('DELETE', `/rooms/${room}/members/bob`)).status, 204, 'a member may leave')
      t.match(await bobClient.expect('left'), { code: 'removed' })
    })

    t.test("two people find one room for their conversation, and a third can't join it", async (t) => {
      const [adaClient, bobClient, eveClient] = [await ada.connect(), await bob.connect(), await eve.connect()]
      const { body: { room } } = await ada.http('PUT', '/direct/bob')
      t.match(room, /^dm:[\w-]{43}$/)
      t.strictSame(await bobClient.expect('direct'), { type: 'direct', data: { begun: room, with: 'ada' } })
      t.strictSame((await bob.http('PUT', '/direct/ada')).body, { room })
      for (const client of [adaClient, bobClient]) await client.join(room)
      await adaClient.posted(room, 'between us')
      t.match(await bobClient.expect('message'), { text: 'between us' }, 'and no second direct message')

      t.match(await eveClient.refused({ type: 'join', room }), { code: 'forbidden' })
      for (const person of [ada, bob, eve]) t.equal((await person.http('PUT', `/rooms/${room}/members/eve`)).status, 404, 'nobody is invited')
      t.equal((await ada.http('DELETE', `/rooms/${room}/members/bob`)).status, 404, 'nobody is removed')
      t.not((await eve.http('PUT', '/direct/ada')).body.room, room)
      for (const nobody of ['ada', 'mallory', '__proto__']) t.equal((await ada.http('PUT', `/direct/${nobody}`)).status, 404, nobody)
      t.match(await eveClient.refused({ type: 'join', room }), { code: 'forbidden' }, 'still')

      t.equal((await bob.http('DELETE', `/rooms/${room}/members/bob`)).status, 204)
      t.match(await bobClient.expect('left'), { code: 'removed' })
      t.strictSame((await bob.http('PUT', '/direct/ada')).body, { room }, 'who has left finds it again')
      t.strictSame(texts((await bobClient.join(room)).messages), ['between us'])
    })
  })

  t.test(`${auth}: the badge counts unread messages of all rooms, and is 0 when they are read`, async (t) => {
    const { ada, bob } = await start(t)
    const { body: { room: talk } } = await ada.http('PUT', '/direct/bob')
    const tea = await ada.create()
    await ada.http('PUT', `/rooms/${tea}/members/bob`)
    const adaClient = await ada.connect()
    const positions: Record<string, string[]> = { [talk]: [], [tea]: [] }
    for (const room of [talk, tea]) {
      await adaClient.join(room)
      for (const text of ['one', 'two']) positions[room]!.push(await adaClient.posted(room, text))
    }
    const badge = async (person: Person) => (await person.http('GET', '/unread')).body.unread
    t.equal(await badge(ada), 0, 'own messages are read')
    t.equal(await badge(bob), 4, 'in rooms that he has never opened')

    const bobClient = await bob.connect()
    const markRead = async (room: string, position: string) => {
      bobClient.say({ type: 'markRead', room, position })
      bobClient.say({ type: 'ping', id: position.slice(0, 36) })
      await bobClient.expect('pong')
    }
    for (const room of [talk, tea]) await bobClient.join(room)
    await markRead(talk, positions[talk]![0]!)
    t.equal(await badge(bob), 3)
    await markRead(talk, positions[talk]![1]!)
    await markRead(tea, positions[tea]![1]!)
    t.equal(await badge(bob), 0)
    await adaClient.posted(tea, 'three')
    t.equal(await badge(bob), 1)
    t.strictSame((await bob.http('GET', '/rooms')).body.map(({ unread }: { unread: number }) => unread), [0, 1])

    await ada.http('DELETE', `/rooms/${tea}/members/bob`)
    t.equal(await badge(bob), 0, 'messages of a room that he was removed from')
    await ada.http('PUT', `/rooms/${tea}/members/bob`)
    t.equal(await badge(bob), 3, 'the removal has forgotten the read position')
  })
}

t.test('session: a sign-in replaces the session, and other sites can use none', async (t) => {
  const server = await example(t, 'private-rooms', { SESSION_SECRET: 'a secret of at least 32 characters' })
  const first = await signIn(server, 'ada')
  t.match(first.headers.get('set-cookie'), /; HttpOnly; SameSite=Lax$/)
  const [ada, bob] = [cookieOf(first), cookieOf(await signIn(server, 'bob', { cookie: cookieOf(first) }))]
  t.not(ada, bob)
  t.equal((await new Person(t, server.host, { cookie: ada }).http('GET', '/rooms')).status, 401, 'the session before')
  const person = new Person(t, server.host, { cookie: bob })
  t.equal((await person.http('GET', '/rooms')).status, 200)

  for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
    const answer = await fetch(`http://${server.host}/rooms`, { method: 'POST', headers: { cookie: bob, 'content-type': type }, body: '{"title":"a"}' })
    t.match(answer.status, type === 'text/plain' ? 400 : 415, `a form of ${type}`)
  }
  t.match(await refused(`ws://${server.host}/chat`, { origin: 'https://example.org', headers: { cookie: bob } }), { status: 403 })
  server.child.kill('SIGTERM')
  t.notMatch((await server.ended).stdout, 'SESSION_SECRET is not set')
})

t.test('jwt: a token is valid on each server with the same secret', async (t) => {
  const env = { AUTH: 'jwt', JWT_SECRET: 'a secret of at least 32 characters' }
  const [one, other] = await Promise.all([example(t, 'private-rooms', env), example(t, 'private-rooms', env)])
  const { headers } = await variants.jwt(t, one, 'ada')
  t.equal((await new Person(t, other.host, headers).http('GET', '/rooms')).status, 200)
  one.child.kill('SIGTERM')
  t.notMatch((await one.ended).stdout, 'JWT_SECRET is not set')
})
