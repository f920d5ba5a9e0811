import { Command, type Cluster, type Redis } from 'ioredis'
import { isCluster } from './connect.ts'

/** Returns the connections to all masters. */
export function mastersOf (redis: Redis | Cluster): Redis[] {
  return isCluster(redis) ? redis.nodes('master') : [redis]
}

/** Returns the address of a key's or channel's master, from the cached slot map; undefined if it isn't known. */
export function addressOf (cluster: Cluster, key: string): string | undefined {
  return addressOfSlot(cluster, slotOf(key))
}

/** Returns the hash slot of a key or channel. */
export function slotOf (key: string): number {
  return new Command('ssubscribe', [key]).getSlot() as number
}

/** Returns the address of a slot's master, as `addressOf` does. */
export function addressOfSlot (cluster: Cluster, slot: number): string | undefined {
  return cluster.slots[slot]?.[0]
}

export function masterAt (cluster: Cluster, address: string): Redis | undefined {
  return cluster.nodes('master').find(({ options: { host, port } }) => `${host}:${port}` === address)
}

/** Returns the connection to a key's master; undefined if it isn't known. */
export function masterOf (redis: Redis | Cluster, key: string): Redis | undefined {
  if (!isCluster(redis)) return redis
  const address = addressOf(redis, key)
  return address === undefined ? undefined : masterAt(redis, address)
}

/** Returns whether the same master holds both keys. */
export function areTogether (redis: Redis | Cluster, a: string, b: string): boolean {
  return !isCluster(redis) || addressOf(redis, a) === addressOf(redis, b)
}
