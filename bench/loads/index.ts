import { compressedHall } from './compressed-hall.ts'
import { echo1, echo16, echo16k, echo1k } from './echo.ts'
import { busyHall, flush, hall, largeHall } from './hall.ts'
import { idle } from './idle.ts'
import type { Load } from './load.ts'
import { pairs, smallRooms, storesSmallRooms, teams } from './small-rooms.ts'
import { stores } from './stores.ts'
import { talk } from './talk.ts'

export const loads: readonly Load[] = [
  pairs, smallRooms, teams, hall, largeHall, busyHall, talk, compressedHall, echo1, echo1k, echo16k, echo16, idle, flush, stores, storesSmallRooms
]
