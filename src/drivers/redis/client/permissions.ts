import { StoreDenied } from '../../../errors.ts'
import type { Argument, RedisClient } from './client.ts'
import { isDenied } from './reply-errors.ts'

/** Commands of the scripts. The arguments, which follow a key, store nothing for long. */
const commands: ReadonlyArray<readonly [name: string, ...rest: Argument[]]> = [
  ['EXISTS'], ['GET'], ['HDEL', ''], ['HGET', ''], ['HGETALL'], ['HMGET', ''], ['HSET', '', ''], ['LINDEX', 0], ['LLEN'], ['LPOP'],
  ['PEXPIRE', 1], ['PEXPIREAT', 1], ['PTTL'], ['RPUSH', ''], ['SADD', ''], ['SCARD'], ['SPOP'], ['SREM', ''],
  ['XADD', 'NOMKSTREAM', '*', 'e', ''], ['XLEN'], ['XRANGE', '-', '+', 'COUNT', 1], ['XREVRANGE', '+', '-', 'COUNT', 1],
  ['XTRIM', 'MAXLEN', 1], ['ZADD', 'XX', 0, ''], ['ZCARD'], ['ZINCRBY', 0, ''], ['ZRANGE', 0, 0], ['ZRANGEBYSCORE', 0, 0],
  ['ZREM', ''], ['ZREMRANGEBYSCORE', 0, 0], ['ZREVRANGE', 0, 0], ['ZSCORE', ''], ['SET', '', 'PX', 1], ['TYPE'], ['DEL']
]

/** Resolves with Redis' error for the first missing permission, if any: an error in a script doesn't name the command. */
async function missingPermission (client: RedisClient, key: string, channel: string): Promise<string | undefined> {
  const calls: ReadonlyArray<readonly [name: string, first: string, ...rest: Argument[]]> = [
    [client.publishCommand, channel, ''],
    ['PUBSUB', client.countCommand, channel],
    ['EVAL', 'return redis.call("TIME")', 1, key],
    ...commands.map(([name, ...rest]) => [name, key, ...rest] as const)
  ]
  for (const [name, first, ...rest] of calls) {
    const error = await client.probe(name, first, ...rest).then(() => undefined, (error: Error) => error)
    if (isDenied(error)) return error!.message
  }
  return undefined
}

/**
 * Runs an action that publishes a message, and resolves when the message is received: commands and subscriptions work.
 * Rejects with StoreDenied if the Redis user lacks a permission, else with the error of the action.
 * @param key in the hash slot of the action's keys; used to find the missing permission
 * @param channel that the action publishes to, without other subscribers
 * @param action resolves with whether Redis published the message
 */
export async function checkRoundTrip (client: RedisClient, key: string, channel: string, action: () => Promise<boolean>): Promise<void> {
  try {
    let onMessage = () => {}
    const message = new Promise<void>((resolve) => { onMessage = resolve })
    const unsubscribe = await client.subscribe(channel, onMessage)
    try {
      if (!await action()) throw new StoreDenied(await missingPermission(client, key, channel) ?? 'published messages are not received')
      await client.within(message)
    } finally {
      unsubscribe()
    }
  } catch (error) {
    const { cause } = error as Error
    if (!isDenied(cause)) throw error
    const { message } = cause as Error
    throw Object.assign(new StoreDenied(/script/i.test(message) ? await missingPermission(client, key, channel) ?? message : message), { cause })
  }
}
