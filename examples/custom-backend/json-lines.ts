import { memory, type Backend } from 'fastify-chat'
import { JsonLinesStore, type JsonLinesOptions } from './json-lines-store.ts'

/** Returns a backend that keeps messages in files of JSON lines, and members and restrictions in memory. */
export function jsonLines (options: JsonLinesOptions): Backend {
  return {
    async open (app) {
      const store = await JsonLinesStore.open(options)
      const { roster, close } = await memory().open(app)
      return { store, roster, close: async () => { await Promise.all([store.close(), close()]) } }
    }
  }
}
