export { RedisRoster, type RedisRosterOptions } from '../roster/redis.ts'
export { RedisStore, type RedisStoreOptions } from '../store/redis.ts'
export type { RedisOptions } from './options.ts'
