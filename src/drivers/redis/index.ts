export { RedisRoster, type RedisRosterOptions } from './roster/roster.ts'
export { RedisStore, type RedisStoreOptions } from './store/store.ts'
export type { RedisOptions } from './client/options.ts'
