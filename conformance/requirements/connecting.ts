import { holds, requirement, same } from '../requirement.ts'
import { Refused, SUBPROTOCOL, type Server } from '../server.ts'

async function statusOfUpgrade (server: Server, query: Record<string, string>): Promise<number> {
  try {
    await server.connect([], query)
  } catch (error) {
    if (error instanceof Refused) return error.status
    throw error
  }
  return 101
}

export const connecting = [
  requirement('2.2', 'the subprotocol is selected where it is offered', async (server) => {
    same((await server.connect([SUBPROTOCOL])).socket.protocol, SUBPROTOCOL, 'offered alone')
    same((await server.connect(['something-else', SUBPROTOCOL])).socket.protocol, SUBPROTOCOL, 'offered second')
  }),

  requirement('2.2', 'without it the connection is plain', async (server) => {
    same((await server.connect()).socket.protocol, '', 'the selected subprotocol')
  }),

  requirement('2.4', 'a query parameter that is not valid is refused with 400', async (server) => {
    const wrong = [{ room: 'no spaces' }, { room: '' }, { room: 'x'.repeat(65) }, { name: 'x'.repeat(33) }, { name: 'a\u202eb' }, { history: 'all' }, { self: 'yes' }]
    for (const query of wrong) same(await statusOfUpgrade(server, query), 400, `the status for ${JSON.stringify(query)}`)
  }),

  requirement('2.4', 'a request that is no upgrade is answered with 426', async (server) => {
    const { status, headers } = await fetch(server.url.replace(/^ws/, 'http'), { signal: AbortSignal.timeout(server.timeout) })
    same(status, 426, 'the status')
    holds(/websocket/i.test(headers.get('upgrade') ?? ''), 'the answer has no Upgrade header')
  })
]
