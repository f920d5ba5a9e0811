import { equal } from '../assertions.ts'
import { requirement } from '../requirement.ts'

/** ms within which a server must close a connection without `hello`: 10 s and a margin. */
const HELLO_TIMEOUT = 15_000

export const closing = [
  requirement('14.1', '1000: a close frame is answered with a close frame', async (server) => {
    const client = await server.welcomedClient()
    client.channel.socket.close(1000)
    equal((await client.closed()).code, 1000, 'close code')
  }),

  requirement('14.1', '1002: an unmasked frame closes the connection', async (server) => {
    const client = await server.welcomedClient()
    client.channel.socket.send('{"type":"ping","id":"1"}', { mask: false })
    equal((await client.closed()).code, 1002, 'close code')
  }),

  requirement('14.1', '1007: a text frame with invalid UTF-8 closes the connection', async (server) => {
    const client = await server.welcomedClient()
    client.channel.socket.send(Buffer.from([0xc3, 0x28]), { binary: false })
    equal((await client.closed()).code, 1007, 'close code')
  }),

  requirement('14.1', '1009: a frame larger than limits.payload closes the connection; one of that size is accepted', async (server) => {
    const client = await server.welcomedClient()
    const { payload } = client.welcome.limits
    if (payload === undefined) return
    const frame = (bytes: number) => `{"type":"ping","id":"1","_":"${'x'.repeat(bytes - 31)}"}`
    client.channel.socket.send(frame(payload))
    await client.receive('pong')
    client.channel.socket.send(frame(payload + 1))
    equal((await client.closed()).code, 1009, 'close code')
  }),

  requirement('14.1', '4408: a connection without a hello is closed after a time limit', async (server) => {
    const client = await server.client()
    equal((await client.closed(HELLO_TIMEOUT)).code, 4408, 'close code')
  })
]
