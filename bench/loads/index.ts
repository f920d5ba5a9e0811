import { edits, reactions } from './changes.ts'
import { compressedHall } from './compressed-hall.ts'
import { echo1, echo16, echo16k, echo1k } from './echo.ts'
import { busyHall, flush, hall, largeHall } from './hall.ts'
import { idle, idlePairs } from './idle.ts'
import { join } from './join.ts'
import type { Load } from './load.ts'
import { nodes } from './nodes.ts'
import { responsive } from './responsive.ts'
import { roomsMemberships, roomsOfTwo, roomsTimelines } from './rooms.ts'
import { pairs, smallRooms, storesSmallRooms, teams } from './small-rooms.ts'
import { startRegister, startServe } from './start.ts'
import { stores } from './stores.ts'
import { stream } from './stream.ts'
import { talk } from './talk.ts'

export const loads: readonly Load[] = [
  pairs, smallRooms, teams, hall, largeHall, busyHall, responsive, talk, compressedHall, echo1, echo1k, echo16k, echo16, idle, idlePairs,
  roomsOfTwo, roomsMemberships, roomsTimelines, flush, stores, storesSmallRooms, nodes, edits, reactions, stream, join, startRegister, startServe
]
