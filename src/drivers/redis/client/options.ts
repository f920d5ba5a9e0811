import type { Cluster, Redis } from 'ioredis'
import { limit, milliseconds, type Checks } from '../../../checks.ts'
import { InvalidOption } from '../../../errors.ts'
import { parseRedisUrl, urlMustBe } from './redis-url.ts'

/** Address of Redis, prefix of its keys, and limits of its commands. Each comment ends with the default. */
export interface ConnectionOptions {
  /** ioredis client whose settings new connections copy; the client itself is never used or closed; excludes `url`; none */
  readonly client?: Redis | Cluster | undefined
  /** redis:// or rediss:// URL, or the path of a Unix socket; redis://127.0.0.1:6379 */
  readonly url?: string | undefined
  /** prefix of all keys and channels; 'fastify-chat' */
  readonly prefix?: string | undefined
  /** ms until a command without a reply is rejected; 5 s */
  readonly timeout?: number | undefined
  /** maximum number of commands that wait for a reply; 10,000 */
  readonly inFlight?: number | undefined
}

export const connectionChecks: Checks<ConnectionOptions> = {
  client: {
    mustBe: 'a client of ioredis: a Redis or a Cluster',
    passes: (value) => {
      const { duplicate, defineCommand } = value as Partial<Record<string, unknown>> | null ?? {}
      return typeof duplicate === 'function' && typeof defineCommand === 'function'
    }
  },
  url: { mustBe: urlMustBe, passes: (value) => typeof value === 'string' && parseRedisUrl(value) !== undefined },
  prefix: {
    mustBe: 'a string without braces, which delimit the hash tag of a key',
    passes: (value) => typeof value === 'string' && !/[{}]/.test(value)
  },
  timeout: milliseconds(1),
  inFlight: limit
}

/**
 * Checks what the rules of single options can't. To be called at once, before a connection is made.
 * @throws InvalidOption
 */
export function checkTarget ({ client, url }: Pick<ConnectionOptions, 'client' | 'url'>): void {
  if (client === undefined) return
  if (url !== undefined) throw new InvalidOption('url', "has no effect with the option 'client': remove one of them")
  if (client.isCluster && Number((client as Cluster).options.redisOptions?.db ?? 0) !== 0) {
    throw new InvalidOption('client', 'must not select a database: a Cluster has only database 0')
  }
}
