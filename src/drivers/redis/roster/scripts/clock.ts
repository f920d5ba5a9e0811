/** Lua code that reads the clock of Redis. now: in ms. moment: in µs. */
export const readClock = `
local time = redis.call('TIME')
local now, moment = time[1] * 1000 + math.floor(time[2] / 1000), time[1] * 1000000 + time[2]
`
