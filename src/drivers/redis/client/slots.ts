import { Command, type Cluster, type Redis } from 'ioredis'

/** Returns the address of a key's or channel's master, from the cached slot map; undefined if it isn't known. */
export function addressOf (cluster: Cluster, key: string): string | undefined {
  return cluster.slots[new Command('ssubscribe', [key]).getSlot() as number]?.[0]
}

export function masterAt (cluster: Cluster, address: string): Redis | undefined {
  return cluster.nodes('master').find(({ options: { host, port } }) => `${host}:${port}` === address)
}

export function masterOf (cluster: Cluster, key: string): Redis | undefined {
  const address = addressOf(cluster, key)
  return address === undefined ? undefined : masterAt(cluster, address)
}
