import { equal, ok } from '../assertions.ts'
import { invalidNames } from '../member-names.ts'
import { requirement } from '../requirement.ts'
import { UpgradeRefused, SUBPROTOCOL, type Server } from '../server.ts'

async function statusOfUpgrade (server: Server, query: Record<string, string>): Promise<number> {
  try {
    await server.connect([], query)
  } catch (error) {
    if (error instanceof UpgradeRefused) return error.status
    throw error
  }
  return 101
}

export const connecting = [
  requirement('2.2', 'the server selects the subprotocol if it is offered', async (server) => {
    equal((await server.connect([SUBPROTOCOL])).socket.protocol, SUBPROTOCOL, 'offered alone')
    equal((await server.connect(['something-else', SUBPROTOCOL])).socket.protocol, SUBPROTOCOL, 'offered second')
  }),

  requirement('2.2', 'a connection without the subprotocol is plain', async (server) => {
    equal((await server.connect()).socket.protocol, '', 'selected subprotocol')
  }),

  requirement('2.4', 'an upgrade with an invalid query parameter is refused with 400', async (server) => {
    const names = invalidNames.map(([, name]) => ({ name }))
    const wrong = [{ room: 'no spaces' }, { room: '' }, { room: 'x'.repeat(65) }, ...names, { history: 'all' }, { self: 'yes' }]
    for (const query of wrong) equal(await statusOfUpgrade(server, query), 400, `status for ${JSON.stringify(query)}`)
  }),

  requirement('2.4', 'a request that is not an upgrade is answered with 426', async (server) => {
    const { status, headers } = await fetch(server.url.replace(/^ws/, 'http'), { signal: AbortSignal.timeout(server.timeout) })
    equal(status, 426, 'status')
    ok(/websocket/i.test(headers.get('upgrade') ?? ''), 'the response has no Upgrade header')
  })
]
