import type { Script } from '../../client/script.ts'
import { carriedControls } from './carried-controls.ts'
import { beginChanges, changeFunctions } from './changes.ts'
import { readState } from './room-state.ts'

/**
 * Clears a room and publishes its new epoch, which carries the last controls. ARGV: new epoch, ms an empty room is kept, publishing
 * command, channel. Returns the room's charge, 0 if there is no such room.
 */
export const clearRoom: Script = {
  name: 'fastifyChatClearRoom',
  keys: 3,
  writes: true,
  lua: `${readState}${carriedControls}
if lost and redis.call('EXISTS', room, log, order) == 0 then return 0 end
local carried = lost and '' or carriedControls()
begin(ARGV[1], ARGV[2])
if carried ~= '' then
  ${beginChanges}${changeFunctions}
  changes.listed = chargeOfField('carried', carried)
  redis.call('HSET', room, 'changes', packedChanges(), 'carried', carried)
end
redis.pcall(ARGV[3], ARGV[4], state.epoch .. '-' .. decimal(state.at) .. '-0-' .. decimal(state.at) .. '[]')
return charge()
`
}
