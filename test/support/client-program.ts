import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { chat } from './chat-app.ts'
import { directory } from './directory.ts'
import { checkout } from './packed.ts'

export interface ClientProgram {
  /** The package of the program. It has fastify-chat installed, as a link. */
  readonly folder: string
  /** A program that joins a room, posts, and prints `posted` or the problem. */
  readonly file: string
  /** URL of the chat. */
  readonly url: string
}

/** Starts a chat, and writes a program that uses the client as a package. */
export async function clientProgram (t: Test): Promise<ClientProgram> {
  const url = `ws://127.0.0.1:${(await chat(t)).port}/chat`
  const folder = directory(t)
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(checkout, join(folder, 'node_modules/fastify-chat'))
  symlinkSync(join(checkout, 'node_modules/ws'), join(folder, 'node_modules/ws'))
  writeFileSync(join(folder, 'package.json'), '{ "name": "own", "private": true, "type": "module" }')
  const file = join(folder, 'main.js')
  writeFileSync(file, programText(url))
  return { folder, file, url }
}

/** Returns the program. It ends by itself once it has posted. */
export function programText (url: string): string {
  return `import { ChatClient } from 'fastify-chat/client'
const client = new ChatClient('${url}')
const end = (...result) => {
  client.close()
  console.log(...result)
}
client.on('status', ({ state, reason }) => { if (state === 'waiting') end('waiting:', reason) })
client.join('lobby').then((room) => room.post('hello')).then(() => end('posted'), (error) => end('failed:', error.message))
`
}
