import { compressedHall } from './compressed-hall.ts'
import { echo1, echo16 } from './echo.ts'
import { busyHall, flush, hall } from './hall.ts'
import { idle } from './idle.ts'
import type { Load } from './load.ts'
import { stores } from './stores.ts'
import { talk } from './talk.ts'

export const loads: readonly Load[] = [talk, hall, busyHall, compressedHall, echo1, echo16, idle, flush, stores]
