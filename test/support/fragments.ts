/** Returns whether a source uses a variable that it neither declares nor imports, nor has as a parameter. */
function lacks (source: string, name: string): boolean {
  const used = new RegExp(`\\b${name}\\b[.(,)\\s}]`).test(source)
  return used && !new RegExp(`(const|import|function|async \\(|\\() ?${name}\\b[ ,)]|import ${name} from`).test(source)
}

/**
 * Returns the program that a block of a document is a part of, as docs/README.md describes: adds the app, the client and the
 * room of the README before it. If the block doesn't call `listen`, the app listens on a free port.
 */
export function whole (source: string): string {
  const before: string[] = []
  const after: string[] = []
  const needsApp = /\bapp[.,]/.test(source) && lacks(source, 'app')
  const needsRoom = /\broom[.]/.test(source) && lacks(source, 'room')
  const needsChat = needsApp && source.includes('app.chat') && !source.includes('register(fastifyChat')
  if ((needsApp || source.includes('Fastify(')) && !source.includes('import Fastify')) before.push("import Fastify from 'fastify'")
  if ((needsChat || source.includes('fastifyChat')) && !source.includes('import fastifyChat')) before.push("import fastifyChat from 'fastify-chat'")
  if (needsApp) before.push('const app = Fastify({ logger: true })')
  if (needsChat) before.push('await app.register(fastifyChat)')
  if (needsRoom) {
    before.push("import { ChatClient } from 'fastify-chat/client'")
    before.push("const client = new ChatClient('ws://localhost:3000/chat')", "const room = await client.join('tea')")
  }
  if (needsApp && !source.includes('app.listen')) {
    after.push("process.once('SIGTERM', () => app.close())", "await app.listen({ port: 0, host: '127.0.0.1' })")
  }
  return [...before, source, ...after, ''].join('\n')
}
