// A NestJS app with a gateway and the chat, registered as the argument says. Prints its log as JSON lines; SIGTERM closes it.
import 'reflect-metadata'
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import { WsAdapter } from '@nestjs/platform-ws'
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets'
import type { FastifyInstance } from 'fastify'
import fastifyChat from '../../src/index.ts'

class Gateway {
  question (_client: object, text: string): object { return { event: 'answer', data: `${text}!` } }
}
SubscribeMessage('question')(Gateway.prototype, 'question', Object.getOwnPropertyDescriptor(Gateway.prototype, 'question')!)
WebSocketGateway({ path: '/live' })(Gateway)

class AppModule {}
Module({ providers: [Gateway] })(AppModule)

const adapter = new FastifyAdapter({ logger: { level: 'debug' } })
const nest = await NestFactory.create<NestFastifyApplication>(AppModule, adapter, { logger: ['error', 'warn'] })
nest.useWebSocketAdapter(new WsAdapter(nest))
const fastify = adapter.getInstance() as unknown as FastifyInstance
const chatFirst = process.argv[2] === 'before'
if (chatFirst) await fastify.register(fastifyChat)
// Binds the gateway.
await nest.init()
if (!chatFirst) await fastify.register(fastifyChat)
await nest.listen(0, '127.0.0.1')
process.once('SIGTERM', () => { void nest.close().then(() => process.exit(0)) })
