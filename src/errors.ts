import { createError } from '@fastify/error'

/** An option has a wrong type or value. Thrown at `register`; takes the option's name and what is wrong with it. */
export const InvalidOption = createError('FST_CHAT_INVALID_OPTION', "fastify-chat: option '%s' %s", 500, TypeError)

/** The plugin was registered where `app.chat` is already visible. */
export const AlreadyRegistered = createError(
  'FST_CHAT_ALREADY_REGISTERED',
  'fastify-chat is already registered here: register a second chat in a sibling scope, with a prefix of its own',
  500)

/** Two routes want one path; takes the path and the option that moves ours. */
export const PathTaken = createError(
  'FST_CHAT_PATH_TAKEN',
  "fastify-chat: the path '%s' is taken by another route: move one of them, ours with the option '%s'",
  500)

/** A query parameter of an upgrade is not valid; takes its name and what is wrong with it. */
export const InvalidQuery = createError('FST_CHAT_INVALID_QUERY', "query parameter '%s' %s", 400)

/** The page that opened the connection is of another site; takes its origin. */
export const OriginRefused = createError('FST_CHAT_ORIGIN_REFUSED', "connections from the origin '%s' are not allowed", 403)

/** A WebSocket path was asked for by plain HTTP; takes a hint for the person who did. RFC 9110, section 15.5.22. */
export const UpgradeRequired = createError('FST_CHAT_UPGRADE_REQUIRED', 'this is a WebSocket endpoint: %s', 426)

/** A store was used after its `close()`. */
export const StoreClosed = createError('FST_CHAT_STORE_CLOSED', 'the store is closed', 503)

/** A repeated post whose key the store has forgotten: it can't know whether it was stored. */
export const StalePost = createError('FST_CHAT_STALE', 'this post is too old to tell whether it was stored', 409)

/** A key that was used before, for other content. */
export const ReusedKey = createError('FST_CHAT_REUSED', 'this id was already used for another post', 409)

/** The store has as much in hand as it may; nothing was stored. */
export const StoreBusy = createError('FST_CHAT_BUSY', 'the store can take no more for now', 503)
