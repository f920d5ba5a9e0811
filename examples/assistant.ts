// A question in a room is answered by an assistant, piece by piece, and `/stop` ends its answer. Ask, and the answer is printed when it ends:
//   npx fastify-chat connect ws://127.0.0.1:3000/chat --v1 --name ada
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as wait } from 'node:timers/promises'
import Fastify from 'fastify'
import fastifyChat from 'fastify-chat'

const assistant = { id: 'assistant', name: 'Assistant' }

/** A scripted language model: replace it with the stream of a real one. */
async function * model (question: string, signal: AbortSignal): AsyncGenerator<string> {
  for (const word of `You asked: ${question} Let me think.`.split(' ')) {
    yield `${word} `
    await wait(40, undefined, { signal })
  }
  // Thinks until it is stopped.
  if (question.includes('meaning of life')) await once(signal, 'abort')
  yield 'The answer is 42.'
}

const app = Fastify({ logger: true })

/** The answers that are being written, by room. */
const answers = new Map<string, AbortController>()

await app.register(fastifyChat, {
  page: false,
  echo: false,
  onPost ({ from, text = '' }, room) {
    if (from === null || from.id === assistant.id) return
    if (text === '/stop') answers.get(room)?.abort()
    // Not awaited: the hook is called with the next message of the room when it has returned.
    else if (text.endsWith('?')) void answer(room, text)
  }
})

/** Answers a question. A later one of the room stops its answer. */
async function answer (room: string, question: string): Promise<void> {
  answers.get(room)?.abort()
  const stop = new AbortController()
  answers.set(room, stop)
  try {
    const message = app.chat.createWriteStream(room, { from: assistant })
    await pipeline(Readable.from(model(question, stop.signal)), message, { signal: stop.signal })
  } catch (error) {
    // The message keeps its text so far, and is marked as unfinished.
    app.log.info({ room, err: error }, 'an answer was stopped')
  } finally {
    if (answers.get(room) === stop) answers.delete(room)
  }
}

await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })
