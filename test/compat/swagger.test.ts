import swagger from '@fastify/swagger'
import { Registry } from 'prom-client'
import t from 'tap'
import fastifyChat, { type FastifyChatOptions } from '../../src/index.ts'
import { bare } from '../support/app.ts'

t.test('no route of the plugin is in the document of @fastify/swagger', async (t) => {
  const cases: FastifyChatOptions[] = [
    {},
    { page: '/', metrics: new Registry() },
    { routeOptions: { schema: { querystring: { type: 'object', properties: { room: { type: 'string' } } } } } }
  ]
  for (const options of cases) {
    const app = bare(t)
    await app.register(swagger, { openapi: {}, exposeHeadRoutes: true })
    await app.register(fastifyChat, { ...options, prefix: '/live' })
    app.get('/own', async () => 'own')
    await app.ready()
    t.strictSame(Object.keys(app.swagger().paths ?? {}), ['/own'])
  }
})

t.test('routeOptions.schema can show the WebSocket routes in the document', async (t) => {
  const app = bare(t)
  await app.register(swagger, { openapi: {} })
  await app.register(fastifyChat, { routeOptions: { schema: { hide: false } as object } })
  await app.ready()
  t.strictSame(Object.keys(app.swagger().paths ?? {}).sort(), ['/chat', '/echo'])
})
