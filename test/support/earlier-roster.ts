import type { Redis } from 'ioredis'

/** What a node of the version before member data does with its members in Redis. */
const script = `
local id, rest = ARGV[3], ' ' .. (ARGV[4] or '')
local member = redis.call('HGET', KEYS[1], id)
local nodes = member and string.match(member, '^%d+') or '0'
if ARGV[2] == 'enter' then
  local added = redis.call('SADD', KEYS[4], id)
  redis.call('HSET', KEYS[3], ARGV[1], 1)
  if not member then redis.call('ZADD', KEYS[2], 1, id) end
  redis.call('HSET', KEYS[1], id, math.max(nodes + added, 1) .. rest)
elseif redis.call('SREM', KEYS[4], id) == 1 then
  redis.call('HDEL', KEYS[3], ARGV[1])
  if tonumber(nodes) > 1 then
    redis.call('HSET', KEYS[1], id, (nodes - 1) .. string.sub(member, #nodes + 1))
  else
    redis.call('ZREM', KEYS[2], id)
    redis.call('HDEL', KEYS[1], id)
  end
end
redis.call('PUBLISH', KEYS[5], '')`

/** A node of the version before member data. Its lease doesn't expire. */
export class EarlierRoster {
  readonly #client: Redis

  private constructor (client: Redis) { this.#client = client }

  static async on (client: Redis): Promise<EarlierRoster> {
    await client.zadd('fastify-chat:{roster}:leases', Date.now() + 3_600_000, 'earlier')
    return new EarlierRoster(client)
  }

  async enter (room: string, id: string, name: string): Promise<void> { await this.#run(room, 'enter', id, name) }
  async leave (room: string, id: string): Promise<void> { await this.#run(room, 'leave', id) }

  /** Resolves with the names of the members as this version reads them. */
  async names (room: string): Promise<string[]> {
    const ids = await this.#client.zrange(`fastify-chat:{${room}}:present:order`, 0, '-1')
    const stored = await Promise.all(ids.map((id) => this.#client.hget(`fastify-chat:{${room}}:present:members`, id)))
    return stored.map((member) => member!.slice(member!.indexOf(' ') + 1))
  }

  async #run (room: string, ...args: string[]): Promise<void> {
    const keys = ['present:members', 'present:order', 'present:nodes', 'present:on:earlier', 'presence'].map((rest) => `fastify-chat:{${room}}:${rest}`)
    await this.#client.eval(script, String(keys.length), ...keys, 'earlier', ...args)
  }
}
