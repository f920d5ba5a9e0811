import { changeOf } from './record.ts'
import type { Control, Controlled } from '../../../change.ts'

/** A control as the scripts return it. */
export type ControlRecord = [number: number, at: number, control: unknown]

/** Returns a stored control. One that this version doesn't know may concern any right. */
export function decodeControl (epoch: string, [number, at, stored]: ControlRecord): Controlled {
  const control = isControl(stored) ? stored : { reauthorize: {} }
  return { change: changeOf({ epoch, at, number }), control }
}

/** Returns the record of a control whose own isn't JSON, which only damage or another program leaves in Redis. */
export function invalidControl (text: string): ControlRecord {
  const [, number = 0, at = 0] = /^\[(\d+),(\d+),/.exec(text) ?? []
  return [Number(number), Number(at), undefined]
}

function isControl (value: unknown): value is Control {
  return typeof value === 'object' && value !== null && ('remove' in value || 'reauthorize' in value)
}
