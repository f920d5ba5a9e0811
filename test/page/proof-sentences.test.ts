import t from 'tap'

interface Report { cause: string, noticed: boolean, ackLost: boolean, complete: boolean, seconds: number, missed: number, more: boolean, posts: number, stored: number, failed: number, repeated: number, ownOnServer?: number | undefined, same?: boolean | undefined }
interface Sentences { summaryOf (report: Report): string, progressOf (outage: object, dots: ReadonlyArray<{ state: string }>): string }

const { summaryOf, progressOf } = await import(new URL('../../public/proof/sentence.js', import.meta.url).href) as Sentences

const usual: Report = {
  cause: 'disconnect', noticed: true, ackLost: false, complete: true, seconds: 6.24, missed: 5, more: false, posts: 2, stored: 2, failed: 0, repeated: 0, ownOnServer: 2, same: true
}

t.test('the summary of an outage states the numbers of its report', async (t) => {
  const order = 'The order matches the server, with no gaps.'
  const cases: Array<[Partial<Report>, string]> = [
    [{}, `Disconnected for 6.2 s. 5 missed messages arrived. Your 2 posts are stored once each. ${order}`],
    [{ seconds: 72.4, missed: 1, posts: 0, stored: 0, ownOnServer: 0 }, 'Disconnected for 72 s. 1 missed message arrived.'],
    [{ missed: 0, posts: 1, stored: 1, ownOnServer: 1, repeated: 1 }, 'Disconnected for 6.2 s. No message was missed. Your post is stored once. It was sent again, with the same id.'],
    [{ ackLost: true, repeated: 1 }, `The acknowledgement was lost. Disconnected for 6.2 s. 5 missed messages arrived. Your 2 posts are stored once each. 1 of them was sent again, with the same id. ${order}`],
    [{ cause: 'drop', noticed: false }, `Packets were dropped for 6.2 s. The connection survived. 5 messages arrived late. Your 2 posts are stored once each. ${order}`],
    [{ more: true, missed: 700, same: undefined, ownOnServer: undefined }, 'Disconnected for 6.2 s. At least 700 missed messages arrived. Your 2 posts are acknowledged. The messages were not compared with those on the server.'],
    [{ complete: false, same: undefined, ownOnServer: undefined }, 'Disconnected for 6.2 s. The server no longer has all missed messages and reports this (complete: false). Your 2 posts are acknowledged.'],
    [{ stored: 1, failed: 1, ownOnServer: 1 }, `Disconnected for 6.2 s. 5 missed messages arrived. 1 of your 2 posts is stored. 1 post failed. ${order}`]
  ]
  for (const [report, sentence] of cases) t.equal(summaryOf({ ...usual, ...report }), sentence)
})

t.test('a message that is stored twice, missing or out of order is reported', async (t) => {
  t.match(summaryOf({ ...usual, ownOnServer: 3 }), 'The server has 3 messages for your 2 posts.')
  t.match(summaryOf({ ...usual, same: false }), 'The messages here differ from those on the server.')
})

t.test('while the outage lasts, the sentence counts what is missing', async (t) => {
  const dots = ['stored', 'missed', 'missed', 'pending'].map((state) => ({ state }))
  t.equal(progressOf({ cause: 'disconnect', seconds: 3, isBack: false }, dots),
    'Disconnected for 3.0 s. 2 messages are stored on the server but have not arrived here. 1 of your posts is waiting.')
  t.equal(progressOf({ cause: 'ack', seconds: undefined, isBack: false }, []),
    'The next acknowledgement of a post will be lost, and the connection with it. Write a message.')
})
