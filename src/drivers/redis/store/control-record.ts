import { changeOf } from './record.ts'
import type { Control, Controlled } from '../../../change.ts'

/** A control as the scripts return it. epoch: present for one of an earlier epoch. */
export type ControlRecord = [number: number, at: number, control: unknown, epoch?: string]

/** Returns a stored control. One that this version doesn't know may concern any right. @param current the epoch of the room */
export function decodeControl (current: string, [number, at, stored, epoch = current]: ControlRecord): Controlled {
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
