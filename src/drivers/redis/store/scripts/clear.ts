import type { Script } from '../../client/script.ts'
import { readState } from './room-state.ts'

/** Clears a room and publishes its new epoch. ARGV: new epoch, ms an empty room is kept, publishing command, channel. */
export const clearRoom: Script = {
  name: 'fastifyChatClearRoom',
  keys: 3,
  writes: true,
  lua: `${readState}
if lost and redis.call('EXISTS', room, log, order) == 0 then return end
begin(ARGV[1], ARGV[2])
redis.pcall(ARGV[3], ARGV[4], state.epoch .. '-' .. decimal(state.at) .. '-0-' .. decimal(state.at) .. '[]')
`
}
