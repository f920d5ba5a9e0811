import { requirement, same } from '../requirement.ts'

/** ms that a server may let a silent client wait for its end: 10 s and something. */
const HELLO_TIMEOUT = 15_000

export const closing = [
  requirement('14.1', '1000: a closing handshake is answered', async (server) => {
    const client = await server.enter()
    client.channel.socket.close(1000)
    same((await client.ended()).code, 1000, 'the close code')
  }),

  requirement('14.1', '1002: a frame that is not masked', async (server) => {
    const client = await server.enter()
    client.channel.socket.send('{"type":"ping","id":"1"}', { mask: false })
    same((await client.ended()).code, 1002, 'the close code')
  }),

  requirement('14.1', '1007: a text that is not UTF-8', async (server) => {
    const client = await server.enter()
    client.channel.socket.send(Buffer.from([0xc3, 0x28]), { binary: false })
    same((await client.ended()).code, 1007, 'the close code')
  }),

  requirement('14.1', '1009: a frame larger than limits.payload; one just as large is taken', async (server) => {
    const client = await server.enter()
    const { payload } = client.welcome.limits
    if (payload === undefined) return
    const frame = (bytes: number) => `{"type":"ping","id":"1","_":"${'x'.repeat(bytes - 31)}"}`
    client.channel.socket.send(frame(payload))
    await client.hear('pong')
    client.channel.socket.send(frame(payload + 1))
    same((await client.ended()).code, 1009, 'the close code')
  }),

  requirement('14.1', '4408: no hello in time', async (server) => {
    const client = await server.client()
    same((await client.ended(HELLO_TIMEOUT)).code, 4408, 'the close code')
  })
]
