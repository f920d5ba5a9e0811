import type { Server } from '../../bench/contenders.ts'
import type { Idle, Join, Rooms, Start, Target, Traffic } from '../../bench/loads/load.ts'
import type { TrafficSample } from '../../bench/sample.ts'

export const server = (name: string, ours: boolean): Server => ({ name, ours, server: 'a server', options: {}, dialect: 'plain', path: '/' })

export const plain = server('plain', true)
export const v1 = server('v1', true)
export const ws = server('ws', false)

const base = { name: 'a load', title: 'what it measures', members: 2, contenders: [plain, ws, v1] }

export const traffic = (...targets: Target[]): Traffic => ({ ...base, kind: 'traffic', pattern: { kind: 'open', rate: 1 }, size: 64, targets })
export const idle = (...targets: Target[]): Idle => ({ ...base, kind: 'idle', targets })
export const rooms = (...targets: Target[]): Rooms => ({ ...base, kind: 'rooms', roomSize: 2, joins: 1, per: 'room', targets })
export const join = (...targets: Target[]): Join => ({ ...base, kind: 'join', joins: 1, targets })

export const program = { name: 'serve', ours: true, file: 'a file', arguments: [] }
export const start = (...targets: Target[]): Start => ({ ...base, kind: 'start', until: 'ready', contenders: [program, { ...program, name: 'bare', ours: false }], targets })

export const sample = (numbers: Partial<TrafficSample>): TrafficSample => ({
  deliveries: 1, cpu: 1, p50: 1, p99: 1, route: undefined, serverCpu: 0.5, generatorCpu: 0.5, carried: undefined, limit: 'server', ...numbers
})
