/** Where Redis is, and how to log in. As options of ioredis. */
export interface RedisAddress {
  readonly path?: string
  readonly host?: string
  readonly port?: number
  readonly username?: string
  readonly password?: string
  readonly db?: number
  readonly family?: number
  readonly tls?: object
}

/** Text after "must be" in the error for a wrong URL. It has no part of the URL, which may have a password. */
export const urlMustBe = 'redis:// or rediss://, such as redis://user:password@127.0.0.1:6379/0, with other characters of the password than ' +
  'letters, digits and -._~ percent-encoded, or the absolute path of a Unix socket, such as /run/redis.sock?password=secret'

/**
 * Returns the address that a URL names; undefined if the URL is invalid. ioredis accepts nearly every text, reports an
 * invalid one with the text in the error, and lets the query of a URL override options.
 */
export function parseRedisUrl (url: string): RedisAddress | undefined {
  if (url.startsWith('/')) return parseSocketPath(url)
  if (!/^rediss?:\/\//i.test(url) || !URL.canParse(url)) return undefined
  const { protocol, hostname, port, pathname, searchParams, hash, username, password } = new URL(url)
  const [db = '0', ...furtherDbs] = [...searchParams.getAll('db'), ...pathname.length > 1 ? [pathname.slice(1)] : []]
  const [family = '0', ...furtherFamilies] = searchParams.getAll('family')
  const isKnown = [...searchParams.keys()].every((name) => name === 'db' || name === 'family')
  if (hostname === '' || hash !== '' || !isKnown || !/^\d{1,9}$/.test(db) || !/^[046]$/.test(family)) return undefined
  if (furtherDbs.length + furtherFamilies.length > 0) return undefined
  try {
    return {
      host: decodeURIComponent(hostname.replace(/^\[(.*)\]$/, '$1')),
      port: port === '' ? 6379 : Number(port),
      ...username !== '' && { username: decodeURIComponent(username) },
      ...password !== '' && { password: decodeURIComponent(password) },
      db: Number(db),
      family: Number(family),
      ...protocol.toLowerCase() === 'rediss:' && { tls: {} }
    }
  } catch {
    // The user or the password has an invalid percent-encoding.
    return undefined
  }
}

/** The path is taken as it is; only the query, if there is one, is percent-decoded. */
function parseSocketPath (text: string): RedisAddress | undefined {
  const [path = '', ...query] = text.split('?')
  const parameters = [...new URLSearchParams(query.join('?'))]
  const { username, password, db = '0', ...unknown } = Object.fromEntries(parameters)
  if (Object.keys(unknown).length > 0 || new Set(parameters.map(([name]) => name)).size < parameters.length) return undefined
  if (!/^\d{1,9}$/.test(db)) return undefined
  return { path, ...username !== undefined && { username }, ...password !== undefined && { password }, db: Number(db) }
}
