import { createError } from '@fastify/error'

/** An option has a wrong type or value. Thrown at `register`; takes the option's name and what is wrong with it. */
export const InvalidOption = createError('FST_CHAT_INVALID_OPTION', "fastify-chat: option '%s' %s", 500, TypeError)

/** The plugin was registered where `app.chat` is already visible. */
export const AlreadyRegistered = createError(
  'FST_CHAT_ALREADY_REGISTERED',
  'fastify-chat is already registered here: register a second chat in a sibling scope, with a prefix of its own',
  500)

/** The registry of the option `metrics` has a metric, or a chat, of the same name already; takes which. */
export const MetricsTaken = createError(
  'FST_CHAT_METRICS_TAKEN',
  "fastify-chat: the registry of the option 'metrics' already has %s: give this chat a registry, or a prefix, of its own",
  500)

/** The option `metrics` was given, and `prom-client` is not installed. */
export const PromClientMissing = createError(
  'FST_CHAT_PROM_CLIENT_MISSING',
  "fastify-chat: the option 'metrics' needs the package 'prom-client': npm install prom-client",
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

/** A request names a foreign host to a server that listens on loopback addresses only (DNS rebinding); takes the host. */
export const HostRefused = createError(
  'FST_CHAT_HOST_REFUSED',
  "this server listens on loopback addresses only and is not '%s': use localhost, or start it with another --host",
  421)

/** What asks for an upgrade is not the handshake of RFC 6455, section 4.1; takes what is wrong with it. */
export const BadHandshake = createError('FST_CHAT_BAD_HANDSHAKE', 'this is no WebSocket handshake: %s', 400)

/** As many connections are open as this process takes. */
export const TooManyConnections = createError('FST_CHAT_TOO_MANY_CONNECTIONS', 'no more connections are taken for now', 503)

/** As many connections are open from this address as may be. */
export const TooManyFromAddress = createError('FST_CHAT_TOO_MANY_FROM_ADDRESS', 'no more connections are taken from this address', 429)

/** More clients are coming, or on their way in, than are let in at once. */
export const TooManyHandshakes = createError('FST_CHAT_TOO_MANY_HANDSHAKES', 'too many clients are coming at once', 503)

/** An upgrade was answered by nobody in time. */
export const HandshakeTimeout = createError('FST_CHAT_HANDSHAKE_TIMEOUT', 'the server took too long to let this client in', 503)

/** An upgrade to a path that no listener of the server takes. */
export const UpgradeNotHandled = createError('FST_CHAT_UPGRADE_NOT_HANDLED', 'nothing on this server takes upgrades of this path', 404)

/** A listener of the app's failed on an upgrade; takes the message of what it threw. */
export const UpgradeFailed = createError('FST_CHAT_UPGRADE_FAILED', 'the server failed to handle this upgrade: %s', 500)

/** A client came while the server was stopping. */
export const Stopping = createError('FST_CHAT_STOPPING', 'the server is stopping', 503)

/** An argument of a call has a wrong type or value, and the call changed nothing; takes the argument's name and what is wrong with it. */
export const InvalidArgument = createError('FST_CHAT_INVALID_ARGUMENT', "argument '%s' %s", 400, TypeError)

/** Not an IP address; takes it. */
export const InvalidAddress = createError('FST_CHAT_INVALID_ADDRESS', "'%s' is not an IP address", 400)

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

/** Nothing was stored, and can't be for now; `cause` says why where it is known. */
export const StoreUnavailable = createError('FST_CHAT_UNAVAILABLE', 'the store is not available', 503)

/** The user of Redis lacks a right that store or roster need; takes what Redis says of it. */
export const StoreDenied = createError('FST_CHAT_STORE_DENIED', 'the user of Redis lacks a right: %s', 503)

/** The post was perhaps stored: sent again under the same id it is stored once. */
export const StoreUnknown = createError('FST_CHAT_UNKNOWN', 'it is not known whether this post was stored', 503)

/** A store's directory belongs to a store that is open, here or in another process; takes the directory and that process's id. */
export const StoreInUse = createError('FST_CHAT_STORE_IN_USE', "the store in '%s' is in use by process %s", 503)

/** What a store kept can't be read; takes where it is and what is wrong with it. */
export const StoreDamaged = createError('FST_CHAT_STORE_DAMAGED', "the store in '%s' is damaged: %s", 500)

/** A roster was used after its `close()`. */
export const RosterClosed = createError('FST_CHAT_ROSTER_CLOSED', 'the roster is closed', 503)

/** This member, or this server, follows as many rooms as it may. */
export const TooManyRooms = createError('FST_CHAT_TOO_MANY_ROOMS', 'no more rooms can be joined', 503)

/** Connections from this member's address have opened as many rooms as they may. */
export const TooManyRoomsOfAddress = createError('FST_CHAT_TOO_MANY_ROOMS_OF_ADDRESS', 'too many rooms are open from this address', 503)

/** A member asked for something in a room that it has not joined; takes the room. */
export const NotJoined = createError('FST_CHAT_NOT_JOINED', "the room '%s' is not joined", 409)

/** A member joined a room twice on one connection; takes the room. */
export const AlreadyJoined = createError('FST_CHAT_ALREADY_JOINED', "the room '%s' is joined already", 409)

/** `authorize` said no; takes the action and the room. */
export const Forbidden = createError('FST_CHAT_FORBIDDEN', "to %s in the room '%s' is not allowed", 403)

/** `onMessage` threw; takes what it said. */
export const PostRefused = createError('FST_CHAT_REFUSED', '%s', 403)

/** The member is muted; takes the reason. */
export const Muted = createError('FST_CHAT_MUTED', 'muted: %s', 403)

/** The app's `data` on a post is not as its `dataSchema` says; takes where and what. */
export const InvalidData = createError('FST_CHAT_INVALID_DATA', 'data%s %s', 400)

/** A name that can't be shown; takes what it must be. */
export const InvalidName = createError('FST_CHAT_INVALID_NAME', '/name %s', 400)

/** A message that the app publishes, or that `onMessage` returns, is too large; takes its bytes and the limit. */
export const PostTooLarge = createError('FST_CHAT_POST_TOO_LARGE', 'the message has %s bytes; the limit is %s', 413)

/** A hook returns something of a wrong type or value; takes the hook and what is wrong with it. */
export const InvalidHookResult = createError('FST_CHAT_INVALID_HOOK_RESULT', '%s %s', 500, TypeError)

/** A hook of the app's failed; takes its name. `cause` is what it threw. */
export const HookFailed = createError('FST_CHAT_HOOK_FAILED', "the app's %s failed", 500)

/** Not the name of a room; takes it. */
export const InvalidRoom = createError('FST_CHAT_INVALID_ROOM', "'%s' is not a room name: 1 to 64 letters, digits and ._:-", 400)
