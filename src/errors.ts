import { createError } from '@fastify/error'

/** An option has a wrong type or value. Thrown at `register`. Arguments: the option's name, the problem. */
export const InvalidOption = createError('FST_CHAT_INVALID_OPTION', "fastify-chat: option '%s' %s", 500, TypeError)

/** The plugin was registered where `app.chat` is already visible. */
export const AlreadyRegistered = createError(
  'FST_CHAT_ALREADY_REGISTERED',
  'fastify-chat is already registered here: register a second chat in a sibling scope, with a prefix of its own',
  500)

/** The registry of the option `metrics` already has a metric or a chat of this name. Argument: which one. */
export const MetricsTaken = createError(
  'FST_CHAT_METRICS_TAKEN',
  "fastify-chat: the registry of the option 'metrics' already has %s: give this chat a registry, or a prefix, of its own",
  500)

/** The option `metrics` was given, but `prom-client` is not installed. */
export const PromClientMissing = createError(
  'FST_CHAT_PROM_CLIENT_MISSING',
  "fastify-chat: the option 'metrics' needs the package 'prom-client': npm install prom-client",
  500)

/** Another route has the same path. Arguments: the path, the option that changes the plugin's path. */
export const PathTaken = createError(
  'FST_CHAT_PATH_TAKEN',
  "fastify-chat: the path '%s' is taken by another route: move one of them, ours with the option '%s'",
  500)

/** A query parameter of an upgrade is invalid. Arguments: its name, the problem. */
export const InvalidQuery = createError('FST_CHAT_INVALID_QUERY', "query parameter '%s' %s", 400)

/** The page that opened the connection has an origin that the option `origins` does not allow. Argument: the origin. */
export const OriginRefused = createError('FST_CHAT_ORIGIN_REFUSED', "connections from the origin '%s' are not allowed", 403)

/** A request names a foreign host to a server that listens on loopback addresses only (DNS rebinding). Argument: the host. */
export const HostRefused = createError(
  'FST_CHAT_HOST_REFUSED',
  "this server listens on loopback addresses only and is not '%s': use localhost, or start it with another --host",
  421)

/** An upgrade request is not the handshake of RFC 6455, section 4.1. Argument: the problem. */
export const BadHandshake = createError('FST_CHAT_BAD_HANDSHAKE', 'this is no WebSocket handshake: %s', 400)

/** `limits.connections` is reached. */
export const TooManyConnections = createError('FST_CHAT_TOO_MANY_CONNECTIONS', 'no more connections are taken for now', 503)

/** `limits.connectionsPerAddress` is reached for this address. */
export const TooManyFromAddress = createError('FST_CHAT_TOO_MANY_FROM_ADDRESS', 'no more connections are taken from this address', 429)

/** A limit of concurrent upgrades or of their rate is reached. */
export const TooManyHandshakes = createError('FST_CHAT_TOO_MANY_HANDSHAKES', 'too many clients are coming at once', 503)

/** An upgrade, or the authentication after it, took longer than `limits.handshakeTimeout`. */
export const HandshakeTimeout = createError('FST_CHAT_HANDSHAKE_TIMEOUT', 'the server took too long to let this client in', 503)

/** No listener of the server handles upgrades of this path. */
export const UpgradeNotHandled = createError('FST_CHAT_UPGRADE_NOT_HANDLED', 'nothing on this server takes upgrades of this path', 404)

/** A listener of the app threw on an upgrade. Argument: the message of the thrown value. */
export const UpgradeFailed = createError('FST_CHAT_UPGRADE_FAILED', 'the server failed to handle this upgrade: %s', 500)

/** A client connected while the server was stopping. */
export const Stopping = createError('FST_CHAT_STOPPING', 'the server is stopping', 503)

/** An argument has a wrong type or value. The call changed nothing. Arguments: the argument's name, the problem. */
export const InvalidArgument = createError('FST_CHAT_INVALID_ARGUMENT', "argument '%s' %s", 400, TypeError)

/** A value is not an IP address. Argument: the value. */
export const InvalidAddress = createError('FST_CHAT_INVALID_ADDRESS', "'%s' is not an IP address", 400)

/** A WebSocket path was requested over plain HTTP. RFC 9110, section 15.5.22. Argument: a hint for the user. */
export const UpgradeRequired = createError('FST_CHAT_UPGRADE_REQUIRED', 'this is a WebSocket endpoint: %s', 426)

/** A store was used after its `close()`. */
export const StoreClosed = createError('FST_CHAT_STORE_CLOSED', 'the store is closed', 503)

/** A repeated post has a key that the store has forgotten: it can't know whether the post was stored. */
export const StalePost = createError('FST_CHAT_STALE', 'this post is too old to tell whether it was stored', 409)

/** A key was used again for different content. */
export const ReusedKey = createError('FST_CHAT_REUSED', 'this id was already used for another post', 409)

/** The store has as much work in progress as it accepts. Nothing was stored. */
export const StoreBusy = createError('FST_CHAT_BUSY', 'the store can take no more for now', 503)

/** Nothing was stored, and nothing can be for now. `cause` is the reason, if it is known. */
export const StoreUnavailable = createError('FST_CHAT_UNAVAILABLE', 'the store is not available', 503)

/** The Redis user lacks a permission that the store or the roster needs. Argument: the error message of Redis. */
export const StoreDenied = createError('FST_CHAT_STORE_DENIED', 'the user of Redis lacks a right: %s', 503)

/** The outcome is unknown: the post may have been stored. If it is repeated under the same id, it is stored once. */
export const StoreUnknown = createError('FST_CHAT_UNKNOWN', 'it is not known whether this post was stored', 503)

/** The directory is used by an open store, in this process or another. Arguments: the directory, the id of that process. */
export const StoreInUse = createError('FST_CHAT_STORE_IN_USE', "the store in '%s' is in use by process %s", 503)

/** Stored data can't be read. Arguments: its location, the problem. */
export const StoreDamaged = createError('FST_CHAT_STORE_DAMAGED', "the store in '%s' is damaged: %s", 500)

/** A roster was used after its `close()`. */
export const RosterClosed = createError('FST_CHAT_ROSTER_CLOSED', 'the roster is closed', 503)

/** `limits.roomsPerMember` is reached for this connection, or `limits.rooms` for this process. */
export const TooManyRooms = createError('FST_CHAT_TOO_MANY_ROOMS', 'no more rooms can be joined', 503)

/** `limits.roomsPerAddress`, or the share of rooms of one address, is reached. */
export const TooManyRoomsOfAddress = createError('FST_CHAT_TOO_MANY_ROOMS_OF_ADDRESS', 'too many rooms are open from this address', 503)

/** A request concerns a room that the member has not joined. Argument: the room. */
export const NotJoined = createError('FST_CHAT_NOT_JOINED', "the room '%s' is not joined", 409)

/** A member joined a room twice on one connection. Argument: the room. */
export const AlreadyJoined = createError('FST_CHAT_ALREADY_JOINED', "the room '%s' is joined already", 409)

/** `authorize`, a kick or a ban does not allow the action. Arguments: the action, the room. */
export const Forbidden = createError('FST_CHAT_FORBIDDEN', "to %s in the room '%s' is not allowed", 403)

/** `onMessage` threw. Argument: the message of the thrown value. */
export const PostRefused = createError('FST_CHAT_REFUSED', '%s', 403)

/** The member is muted. Argument: the reason. */
export const Muted = createError('FST_CHAT_MUTED', 'muted: %s', 403)

/** The `data` of a post does not match the option `dataSchema`. Arguments: the path in `data`, the problem. */
export const InvalidData = createError('FST_CHAT_INVALID_DATA', 'data%s %s', 400)

/** A name has an invalid character or length. Argument: the rule that it breaks. */
export const InvalidName = createError('FST_CHAT_INVALID_NAME', '/name %s', 400)

/** A message that the app publishes, or that `onMessage` returns, is too large. Arguments: its size and the limit, in bytes. */
export const PostTooLarge = createError('FST_CHAT_POST_TOO_LARGE', 'the message has %s bytes; the limit is %s', 413)

/** A hook returned a wrong type or value. Arguments: the hook, the problem. */
export const InvalidHookResult = createError('FST_CHAT_INVALID_HOOK_RESULT', '%s %s', 500, TypeError)

/** A hook of the app threw, or its result is invalid. `cause` is the thrown value or the error. Argument: the hook. */
export const HookFailed = createError('FST_CHAT_HOOK_FAILED', "the app's %s failed", 500)

/** A value is not a room name. Argument: the value. */
export const InvalidRoom = createError('FST_CHAT_INVALID_ROOM', "'%s' is not a room name: 1 to 64 letters, digits and ._:-", 400)
