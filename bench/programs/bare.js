import websocket from '@fastify/websocket'

/** A plugin with one WebSocket route, written as the users of @fastify/websocket do. */
export default async function bare (app) {
  await app.register(websocket)
  app.get('/', { websocket: true }, (socket) => {
    socket.on('error', () => {})
  })
}
