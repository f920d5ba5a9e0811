import { fastify } from 'fastify'

// Prints the ms from `register` to `ready()`, without the import of the plugin.
const { default: plugin } = await import(process.argv[2])
const app = fastify()
const begun = performance.now()
app.register(plugin)
await app.ready()
process.stdout.write(`${performance.now() - begun}\n`)
