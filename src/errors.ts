import { declareError } from './error-meaning.ts'
import { CloseCode, ErrorCode } from './protocol.ts'

/** An option has a wrong type or value. Thrown at `register`. Arguments: the option's name, the problem. */
export const InvalidOption = declareError(
  'FST_CHAT_INVALID_OPTION', "fastify-chat: option '%s' %s", 500, { kind: 'usage' }, TypeError)

/** The plugin was registered where `app.chat` is already visible. */
export const AlreadyRegistered = declareError(
  'FST_CHAT_ALREADY_REGISTERED',
  'fastify-chat is already registered in this scope: register a second chat in a sibling scope, with its own prefix',
  500,
  { kind: 'usage' })

/** The registry of the option `metrics` already has a metric or a chat of this name. Argument: the metric or the chat. */
export const MetricsTaken = declareError(
  'FST_CHAT_METRICS_TAKEN',
  "fastify-chat: the registry of the option 'metrics' already has %s: give this chat its own registry, or its own prefix",
  500,
  { kind: 'usage' })

/** An optional package is not installed. Arguments: the feature that requires it, the package. */
export const PackageMissing = declareError(
  'FST_CHAT_PACKAGE_MISSING',
  'fastify-chat: %s requires a package that is not installed: run npm install %s',
  500,
  { kind: 'usage' })

/** Another route has the same path. Arguments: the path, the option that changes the plugin's path. */
export const PathTaken = declareError(
  'FST_CHAT_PATH_TAKEN',
  "fastify-chat: another route already has the path '%s': change that route, or the option '%s'",
  500,
  { kind: 'usage' })

/** A query parameter of an upgrade is invalid. Arguments: its name, the problem. */
export const InvalidQuery = declareError('FST_CHAT_INVALID_QUERY', "query parameter '%s' %s", 400, { kind: 'refusal' })

/** The page that opened the connection has an origin that the option `origins` does not allow. Arguments: the origin, the host. */
export const OriginRefused = declareError(
  'FST_CHAT_ORIGIN_REFUSED',
  "connections from the origin '%s' to the host '%s' are not allowed: allow the origin in the option 'origins', or let the proxy keep the Host header",
  403,
  { kind: 'refusal', option: 'origins' })

/** A request names a foreign host to a server that listens on loopback addresses only (DNS rebinding). Argument: the host. */
export const HostRefused = declareError(
  'FST_CHAT_HOST_REFUSED',
  "this server listens on loopback addresses only and does not serve the host '%s': use localhost, or start it with another --host",
  421,
  { kind: 'refusal' })

/** An upgrade request is not the handshake of RFC 6455, section 4.1. Argument: the problem. */
export const BadHandshake = declareError('FST_CHAT_BAD_HANDSHAKE', 'invalid WebSocket handshake: %s', 400, { kind: 'refusal' })

/** `limits.connections` is reached. */
export const TooManyConnections = declareError(
  'FST_CHAT_TOO_MANY_CONNECTIONS', 'connection limit reached', 503, { kind: 'refusal', retryable: true, option: 'limits.connections' })

/** `limits.connectionsPerAddress` is reached for this address. */
export const TooManyFromAddress = declareError(
  'FST_CHAT_TOO_MANY_FROM_ADDRESS', 'connection limit reached for this address', 429, { kind: 'refusal', retryable: true, option: 'limits.connectionsPerAddress' })

/** A limit of concurrent upgrades or of their rate is reached. */
export const TooManyHandshakes = declareError(
  'FST_CHAT_TOO_MANY_HANDSHAKES', 'handshake limit reached', 503, { kind: 'refusal', retryable: true })

/** An upgrade, or the join or the authentication after it, took longer than `limits.handshakeTimeout`. */
export const HandshakeTimeout = declareError(
  'FST_CHAT_HANDSHAKE_TIMEOUT',
  'the handshake timed out',
  503,
  { kind: 'refusal', closeCode: CloseCode.tryAgainLater, retryable: true, option: 'limits.handshakeTimeout' })

/** No listener of the server handles upgrades of this path. */
export const UpgradeNotHandled = declareError(
  'FST_CHAT_UPGRADE_NOT_HANDLED', 'no WebSocket endpoint at this path', 404, { kind: 'refusal' })

/** A listener of the app threw on an upgrade. Argument: the message of the thrown value. */
export const UpgradeFailed = declareError('FST_CHAT_UPGRADE_FAILED', 'the upgrade failed: %s', 500, { kind: 'usage' })

/** The server refused the upgrade of `connect` in a test. Arguments: the status and the message of the response. */
export const UpgradeRefused = declareError('FST_CHAT_UPGRADE_REFUSED', 'the upgrade was refused with %s: %s', 500, { kind: 'usage' })

/** A client connected while the server was stopping. */
export const Stopping = declareError('FST_CHAT_STOPPING', 'the server is stopping', 503, { kind: 'refusal', retryable: true })

/** An argument has a wrong type or value. The call changed nothing. Arguments: the argument's name, the problem. */
export const InvalidArgument = declareError('FST_CHAT_INVALID_ARGUMENT', "argument '%s' %s", 400, { kind: 'usage' }, TypeError)

/** A value is not an IP address. Argument: the value. */
export const InvalidAddress = declareError('FST_CHAT_INVALID_ADDRESS', "'%s' is not an IP address", 400, { kind: 'usage' })

/** A WebSocket path was requested over plain HTTP. RFC 9110, section 15.5.22. Argument: a hint for the user. */
export const UpgradeRequired = declareError('FST_CHAT_UPGRADE_REQUIRED', 'this is a WebSocket endpoint: %s', 426, { kind: 'refusal' })

/** A store was used after its `close()`. */
export const StoreClosed = declareError(
  'FST_CHAT_STORE_CLOSED', 'the store is closed', 503, { kind: 'failure', wireCode: ErrorCode.unavailable, retryable: true })

/** A repeated post or edit has a key that the store may have forgotten, so it can't know whether it was stored. */
export const StalePost = declareError(
  'FST_CHAT_STALE', 'the server no longer knows whether this was stored', 409, { kind: 'refusal', wireCode: ErrorCode.stalePost })

/** A key was used again for different content. */
export const ReusedKey = declareError(
  'FST_CHAT_REUSED', 'this id was already used for other content', 409, { kind: 'refusal', wireCode: ErrorCode.reusedId })

/** The store doesn't keep the entry at a position. Nothing was changed. */
export const NotKept = declareError(
  'FST_CHAT_NOT_KEPT', 'the server does not keep this message', 404, { kind: 'refusal', wireCode: ErrorCode.notKept })

/** A deleted entry can't be changed. */
export const EntryDeleted = declareError(
  'FST_CHAT_DELETED', 'this message is deleted', 409, { kind: 'refusal', wireCode: ErrorCode.deleted })

/** The entry can't be changed like this. Argument: the problem. */
export const InvalidChange = declareError('FST_CHAT_INVALID_CHANGE', '%s', 400, { kind: 'refusal', wireCode: ErrorCode.invalid })

/** Text can't be added to this entry: it isn't streaming, or not any more. */
export const StreamEnded = declareError(
  'FST_CHAT_STREAM_ENDED', 'this message is no longer streaming', 409, { kind: 'refusal' })

/** The entry, or the room, has as many reactions as it can have. */
export const TooManyReactions = declareError(
  'FST_CHAT_TOO_MANY_REACTIONS', 'this message has too many reactions', 409, { kind: 'refusal', wireCode: ErrorCode.tooManyReactions })

/** A bound of the store is reached. Nothing was stored. */
export const StoreBusy = declareError(
  'FST_CHAT_BUSY', 'the store is overloaded', 503, { kind: 'failure', wireCode: ErrorCode.unavailable, retryable: true })

/** The store can't store anything now. Nothing was stored. `cause` is the reason, if it is known. */
export const StoreUnavailable = declareError(
  'FST_CHAT_UNAVAILABLE', 'the store is not available', 503, { kind: 'failure', wireCode: ErrorCode.unavailable, retryable: true })

/** The Redis user lacks a permission that the store or the roster needs. Argument: the error message of Redis. */
export const StoreDenied = declareError(
  'FST_CHAT_STORE_DENIED', 'the Redis user lacks a permission: %s', 503, { kind: 'failure', wireCode: ErrorCode.unavailable, retryable: true })

/** The outcome is unknown: the post or change may have been stored. If it is repeated under the same id, it is stored once. */
export const StoreUnknown = declareError(
  'FST_CHAT_UNKNOWN', 'the outcome is unknown', 503, { kind: 'failure', wireCode: ErrorCode.unknown, retryable: true })

/** The directory is used by an open store, in this process or another. Arguments: the directory, the process that uses it. */
export const StoreInUse = declareError(
  'FST_CHAT_STORE_IN_USE', "the store in '%s' is in use by %s", 503, { kind: 'failure', wireCode: ErrorCode.unavailable, retryable: true })

/** The directory of a store can't be opened: it is read-only, or its disk is full, for example. Arguments: the directory, the reason. */
export const StoreUnusable = declareError(
  'FST_CHAT_STORE_UNUSABLE',
  "the store in '%s' can't be opened: %s",
  503,
  { kind: 'failure', wireCode: ErrorCode.unavailable, retryable: true })

/** Stored data can't be read. Arguments: its location, the problem. */
export const StoreDamaged = declareError(
  'FST_CHAT_STORE_DAMAGED', "the store in '%s' is damaged: %s", 500, { kind: 'failure', wireCode: ErrorCode.unavailable })

/**
 * Stored data was written in another format. Waiting doesn't fix it. Arguments: the location of the data; the number of its
 * format, 0 if it has none; the number of the format that this version reads and writes.
 */
export const StoreFormat = declareError(
  'FST_CHAT_STORE_FORMAT',
  'the data in %s has format %s, but this version reads and writes format %s: use the version that wrote it, or another place',
  500,
  { kind: 'failure', wireCode: ErrorCode.unavailable })

/** A roster was used after its `close()`. */
export const RosterClosed = declareError(
  'FST_CHAT_ROSTER_CLOSED', 'the roster is closed', 503, { kind: 'failure', wireCode: ErrorCode.unavailable, retryable: true })

/** `limits.rooms` is reached for this process. */
export const TooManyRooms = declareError(
  'FST_CHAT_TOO_MANY_ROOMS',
  'room limit reached',
  503,
  { kind: 'refusal', wireCode: ErrorCode.tooManyRooms, retryable: true, option: 'limits.rooms' })

/** `limits.roomsPerMember` is reached for this connection. */
export const TooManyRoomsOfMember = declareError(
  'FST_CHAT_TOO_MANY_ROOMS_OF_MEMBER',
  'room limit reached for this connection',
  503,
  { kind: 'refusal', wireCode: ErrorCode.tooManyRooms, retryable: true, option: 'limits.roomsPerMember' })

/** `limits.roomsPerAddress`, or the share of rooms of one address, is reached. */
export const TooManyRoomsOfAddress = declareError(
  'FST_CHAT_TOO_MANY_ROOMS_OF_ADDRESS',
  'room limit reached for this address',
  503,
  { kind: 'refusal', wireCode: ErrorCode.tooManyRooms, retryable: true, option: 'limits.roomsPerAddress, limits.rooms' })

/** A request concerns a room that the member has not joined. Argument: the room. */
export const NotJoined = declareError(
  'FST_CHAT_NOT_JOINED', "room '%s' is not joined", 409, { kind: 'refusal', wireCode: ErrorCode.notJoined })

/** A member joined a room twice on one connection. Argument: the room. */
export const AlreadyJoined = declareError(
  'FST_CHAT_ALREADY_JOINED', "room '%s' is already joined", 409, { kind: 'refusal', wireCode: ErrorCode.alreadyJoined })

/** `authorize`, a kick, a ban or a removal does not allow the action. Arguments: the action, the room. */
export const Forbidden = declareError(
  'FST_CHAT_FORBIDDEN',
  "not allowed to %s in room '%s'",
  403,
  { kind: 'refusal', wireCode: ErrorCode.forbidden, closeCode: CloseCode.forbidden })

/** A hook that vets posts or changes threw. Argument: the message of the thrown value. */
export const PostRefused = declareError('FST_CHAT_REFUSED', '%s', 403, { kind: 'refusal', wireCode: ErrorCode.refused })

/** A hook that vets posts or changes returned a wrong type or value. Only this request is refused; `cause` names the hook and the problem. */
export const PrePostFailed = declareError(
  'FST_CHAT_PRE_POST_FAILED', 'the server failed to process this request', 500, { kind: 'usage', wireCode: ErrorCode.refused })

/** The member is muted. Argument: the reason. */
export const Muted = declareError('FST_CHAT_MUTED', 'muted: %s', 403, { kind: 'refusal', wireCode: ErrorCode.muted })

/** The `data` of a post does not match the option `dataSchema`. Arguments: the path in `data`, the problem. */
export const InvalidData = declareError('FST_CHAT_INVALID_DATA', '/data%s %s', 400, { kind: 'refusal', wireCode: ErrorCode.invalid })

/** A name has an invalid character or length. Argument: the rule that it breaks. */
export const InvalidName = declareError('FST_CHAT_INVALID_NAME', '/name %s', 400, { kind: 'refusal', wireCode: ErrorCode.invalid })

/** A message that the app publishes, or that `prePost` returns, is too large. Arguments: its size and the limit, in bytes. */
export const PostTooLarge = declareError(
  'FST_CHAT_POST_TOO_LARGE', 'the message has %s bytes; the limit is %s', 413, { kind: 'refusal', wireCode: ErrorCode.refused })

/** A hook returned a wrong type or value. Arguments: the hook, the problem. */
export const InvalidHookResult = declareError(
  'FST_CHAT_INVALID_HOOK_RESULT', '%s %s', 500, { kind: 'usage', closeCode: CloseCode.internal }, TypeError)

/** A hook of the app threw, or its result is invalid. `cause` is the thrown value or the error. Argument: the hook. */
export const HookFailed = declareError('FST_CHAT_HOOK_FAILED', "the hook '%s' failed", 500, { kind: 'usage', closeCode: CloseCode.internal })

/** A value is not a room name. Argument: the value. */
export const InvalidRoom = declareError(
  'FST_CHAT_INVALID_ROOM', "'%s' is not a room name: use 1 to 64 letters, digits and ._:-", 400, { kind: 'usage' })
